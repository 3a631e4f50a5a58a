import { setTimeout as delay } from 'node:timers/promises';
import { CommanderError } from 'commander';
import { ConfigError, loadConfig } from '../config/load.ts';
import { RegistryError } from '../oci/errors.ts';
import type { Run } from './command.ts';
import type { Upkeep } from './commands/backup.ts';
import { type Connection, openConnection, toRefused } from './connection.ts';
import { createProgram } from './program.ts';
import { Refused } from './refused.ts';
import { upkeepOf } from './upkeep.ts';

export interface CliProcess {
  /** Without the program's own name. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly version: string;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** The way to the methods; by socket or data folder unless given. */
  readonly connect?: (process: CliProcess) => Promise<Connection>;
  /** Whether somebody watches `err`: long commands then say how far they are. */
  readonly tty?: boolean;
  /** Backup, restore and move; those of this program unless given. */
  readonly upkeep?: Upkeep;
}

const refusedCode = 1;
const usageCode = 2;

/** Runs one command. Gives the exit code: 0 done, 1 refused or failed, 2 wrong usage. */
export async function runCli(cli: CliProcess): Promise<number> {
  const run: Run = async ({ json }, method, params, show, watch) => {
    const connection = await (cli.connect ?? connectByConfig)(cli);
    try {
      let result = (await connection.call(method, params)) as Parameters<typeof show>[0];
      // Offline this process holds the folder's lock: the server that is waited for could not start.
      while (watch && !connection.offline && (watch.always || cli.tty)) {
        const line = watch.line(result);
        if (cli.tty) cli.err(`\r\u001b[K${line ?? ''}`);
        if (line === undefined) break;
        await delay(watch.everyMs);
        const next = watch.again(result);
        result = (await connection.call(next.method, next.params)) as typeof result;
      }
      const failure = watch?.failed?.(result);
      if (failure) throw failure;
      cli.out(json ? `${JSON.stringify(result, null, 2)}\n` : show(result));
      if (connection.offline && watch && watch.line(result) !== undefined) {
        if (watch.always) throw noServer();
        cli.err('No server runs on this data folder: the next one that starts does it.\n');
      }
    } finally {
      await connection.close();
    }
  };
  const program = createProgram({
    version: cli.version,
    run,
    upkeep: cli.upkeep ?? upkeepOf(cli),
    out: cli.out,
    err: cli.err,
  });
  try {
    await program.parseAsync([...cli.args], { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : usageCode;
    cli.err(explain(error, cli.args.includes('--json')));
    return refusedCode;
  }
}

function noServer(): Refused {
  return new Refused({
    code: 'no-server',
    message: 'It is written down, but no server runs on this data folder that could be waited for.',
    hint: 'Start the server, which then does it, and ask: npx gantry admin scrub status',
  });
}

async function connectByConfig({ env, cwd }: CliProcess): Promise<Connection> {
  return await openConnection(loadConfig(env, { cwd }));
}

function explain(error: unknown, json: boolean): string {
  const refused = error instanceof RegistryError ? toRefused(error) : error;
  if (!(refused instanceof Refused)) {
    const message = error instanceof ConfigError ? error.message : String((error as Error).stack);
    return json
      ? `${JSON.stringify({ error: { code: 'failed', message } })}\n`
      : `gantry: ${message}\n`;
  }
  const { code, message, hint } = refused;
  return json
    ? `${JSON.stringify({ error: { code, message, hint } })}\n`
    : `gantry: ${message}\n${hint}\n`;
}
