import { spawn } from 'node:child_process';
import { type GuardRules, rulesOf, tableOf } from './rules.ts';

/** The packet filter of the network namespace that this process is in, by Debian's `nft`. */
export interface PacketFilter {
  /** Puts the rules in place, whole or not at all. Rejects with nft's own words. */
  apply(): Promise<void>;
  /** Whether they are there as they were put. */
  intact(): Promise<boolean>;
  remove(): Promise<void>;
}

/** Rejects where there is no such program, or it fails: with its last words. */
export type RunProgram = (
  program: string,
  args: readonly string[],
  input?: string,
) => Promise<string>;

export function packetFilter(rules: GuardRules, run: RunProgram = runProgram): PacketFilter {
  const table = tableOf(rules.installation);
  /** As nft prints them, without counters. */
  const printed = () => run('nft', ['--stateless', 'list', 'table', 'inet', table]);
  let put: string | undefined;
  return {
    async apply() {
      await run('nft', ['--file', '-'], rulesOf(rules));
      put = await printed();
    },
    async intact() {
      return put !== undefined && (await printed().catch(() => undefined)) === put;
    },
    async remove() {
      put = undefined;
      await run('nft', ['--file', '-'], `add table inet ${table}\ndelete table inet ${table}\n`);
    },
  };
}

/** Programs of administration are not in every user's PATH. */
const path = [process.env.PATH, '/usr/local/sbin', '/usr/sbin', '/sbin'].filter(Boolean).join(':');
const limitMs = 10_000;

export const runProgram: RunProgram = (program, args, input = '') =>
  new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      env: { PATH: path, LC_ALL: 'C' },
      stdio: 'pipe',
      timeout: limitMs,
      killSignal: 'SIGKILL',
    });
    let output = '';
    let words = '';
    child.stdout.on('data', (bytes: Buffer) => {
      output += bytes;
    });
    child.stderr.on('data', (bytes: Buffer) => {
      words = (words + bytes).slice(-2_000);
    });
    child.once('error', (error: NodeJS.ErrnoException) => {
      reject(error.code === 'ENOENT' ? new NoSuchProgram(program) : error);
    });
    child.once('close', (code, signal) => {
      if (code === 0) return resolve(output);
      reject(
        new Error(`${program} ${args.join(' ')}: ${words.trim() || signal || `code ${code}`}`),
      );
    });
    // One that ended early says why by its code.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });

export class NoSuchProgram extends Error {
  readonly program: string;
  constructor(program: string) {
    super(`There is no program ${program}.`);
    this.program = program;
  }
}
