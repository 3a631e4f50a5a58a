import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { extname } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import type { ProjectNetwork } from '../networks.ts';
import { formatAddress4, parseRange4 } from '../subnet-pool.ts';
import type { TryResult } from './canary-peer.ts';
import type { RunProgram } from './nft.ts';

const program = `${import.meta.dirname}/canary-peer${extname(import.meta.filename)}`;
const startMs = 10_000;

/** A process in a network namespace on a project's bridge, as a container is. */
export interface Peer {
  readonly address: string;
  readonly port: number;
  /** What comes of a TCP connection to each, at most `ms` later. */
  attempt(tries: readonly (readonly [string, number])[], ms: number): Promise<TryResult[]>;
  /** How many connections it has taken. */
  met(): Promise<number>;
  remove(): Promise<void>;
}

/** `name`: of the namespace and of the host's end of its cable, at most 15 characters. */
export async function placePeer(
  network: ProjectNetwork,
  name: string,
  run: RunProgram,
): Promise<Peer> {
  const ip = (...args: string[]) => run('ip', args);
  // What a killed process left.
  await ip('netns', 'delete', name).catch(() => {});
  await ip('link', 'delete', name).catch(() => {});
  let child: ChildProcessByStdio<Writable, Readable, null> | undefined;
  const remove = async () => {
    child?.kill('SIGKILL');
    await ip('netns', 'delete', name).catch(() => {});
    await ip('link', 'delete', name).catch(() => {});
  };
  const range = parseRange4(network.subnet)!;
  // The last address: an engine gives the first ones away.
  const address = formatAddress4(range.base + 2 ** (32 - range.bits) - 2);
  try {
    await ip('netns', 'add', name);
    await ip('link', 'add', name, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name);
    await ip('link', 'set', name, 'master', network.name, 'up');
    const inside = (...args: string[]) => ip('-n', name, ...args);
    await inside('address', 'add', `${address}/${range.bits}`, 'dev', 'eth0');
    await inside('link', 'set', 'lo', 'up');
    await inside('link', 'set', 'eth0', 'up');
    await inside('route', 'add', 'default', 'via', network.gateway);
    child = spawn('nsenter', [`--net=/run/netns/${name}`, '--', process.execPath, program], {
      env: { UV_THREADPOOL_SIZE: '1', PATH: process.env.PATH },
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    child.stdin.on('error', () => {});
    const failed = new Promise<never>((_, reject) => {
      const end = (why: string) => reject(new Error(`The canary ${name} ended: ${why}`));
      child!.once('error', (error) => end(error.message));
      child!.once('close', (code, signal) => end(signal ?? `code ${code}`));
    });
    failed.catch(() => {});
    const lines = createInterface({ input: child.stdout });
    const { port } = await answer<{ port: number }>(lines, failed, startMs);
    const ask = (tries: readonly (readonly [string, number])[], ms: number) => {
      const answered = answer<{ results: TryResult[]; met: number }>(lines, failed, ms + startMs);
      child!.stdin.write(`${JSON.stringify({ tries, ms })}\n`);
      return answered;
    };
    return {
      address,
      port,
      attempt: async (tries, ms) => (await ask(tries, ms)).results,
      met: async () => (await ask([], 0)).met,
      remove,
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** The next line. */
function answer<T>(lines: Interface, failed: Promise<never>, ms: number): Promise<T> {
  const come = new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('The canary does not answer.')), ms);
    failed.catch(() => clearTimeout(timer));
    lines.once('line', (line) => {
      clearTimeout(timer);
      resolve(JSON.parse(line) as T);
    });
  });
  return Promise.race([come, failed]);
}
