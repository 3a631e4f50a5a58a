/**
 * Attacks on an engine that has a network of its own: containers are reached from inside it alone, so each runs
 * in a process in there (inside/main.ts), which holds the driver.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { makeSandbox } from '../../clients/support/sandbox.ts';
import { findProgram } from '../../tools/cache.ts';
import { type DockerRelease, startFunctionEngine } from '../support/engine.ts';
import { functionImage, loadImage } from '../support/images.ts';

/** What the process is given in its environment. */
export interface AttackPlace {
  readonly host: string;
  readonly socket: string;
  readonly folder: string;
  /** The machine that the tests run on, seen from the engine's network: a private address behind the host. */
  readonly outside: string;
  /** Of the host of the containers. */
  readonly address: string;
}

export const placeVariable = 'ATTACK_PLACE';
/** Names in the engine of what runs. */
export const serverImage = 'docker.io/attacks/server:1';
export const escapeImage = (descriptor: number) => `docker.io/attacks/escape-${descriptor}:1`;
/** Of open files of the engine's helpers, which CVE-2024-21626 reached. */
export const descriptors = [3, 7, 8, 9];

export type FromInside = { readonly id: number; readonly failed: string | undefined };
export type ToInside = { readonly id: number; readonly title: string };

export interface AttackBench {
  /** Rejects with what the attack of that title came to. */
  run(title: string): Promise<void>;
  log(): string;
  stop(): Promise<void>;
}

export async function startAttackBench(release: DockerRelease): Promise<AttackBench> {
  await using stack = new AsyncDisposableStack();
  const sandbox = makeSandbox();
  stack.defer(() => sandbox.remove());
  const engine = await startFunctionEngine(release, sandbox);
  stack.defer(() => engine.stop());
  await loadImage(engine, sandbox, serverImage, functionImage({ version: 'attacker' }));
  for (const number of descriptors) {
    const image = functionImage({ version: 'escape', workingDir: `/proc/self/fd/${number}` });
    await loadImage(engine, sandbox, escapeImage(number), image);
  }
  const place: AttackPlace = {
    host: engine.host,
    socket: engine.socket,
    folder: sandbox.fresh('attacks'),
    outside: engine.network.hostAddress,
    address: engine.network.address,
  };
  const rclone = findProgram('rclone');
  const folders = [...('path' in rclone ? [dirname(rclone.path)] : []), process.env.PATH];
  const line = engine.network.inside(process.execPath, [
    join(import.meta.dirname, 'inside', 'main.ts'),
  ]);
  const child = spawn(line.program, line.args, {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, PATH: folders.join(':'), [placeVariable]: JSON.stringify(place) },
  });
  const waiting = new Map<number, (failed: string | undefined) => void>();
  let ended: string | undefined;
  child.on('message', ({ id, failed }: FromInside) => waiting.get(id)?.(failed));
  child.once('exit', (code, signal) => {
    ended = `the process of the attacks ended with ${signal ?? code}`;
    for (const fail of waiting.values()) fail(ended);
  });
  stack.defer(async () => {
    if (ended !== undefined) return;
    child.disconnect();
    const late = setTimeout(() => child.kill('SIGKILL'), 20_000);
    await once(child, 'exit');
    clearTimeout(late);
  });
  const running = stack.move();
  let attacks = 0;
  return {
    async run(title) {
      if (ended) throw new Error(ended);
      const id = ++attacks;
      const failed = await new Promise<string | undefined>((resolve) => {
        waiting.set(id, resolve);
        child.send({ id, title } satisfies ToInside);
      });
      waiting.delete(id);
      if (failed !== undefined) throw new Error(failed);
    },
    log: () => engine.log(),
    stop: () => running.disposeAsync(),
  };
}
