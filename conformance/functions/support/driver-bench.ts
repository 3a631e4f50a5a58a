/**
 * The driver contract on an engine that has a network of its own: containers are reached from inside it alone,
 * so cases run in a process in there, and what only the test can do (hang the engine, restart it) is asked of it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { makeSandbox } from '../../clients/support/sandbox.ts';
import { type DockerRelease, startFunctionEngine } from './engine.ts';
import { startFunctionsGantry } from './gantry.ts';

/** What the process is given in its environment. */
export interface DriverPlace {
  readonly host: string;
  readonly registry: string;
  /** `team/project`. */
  readonly project: string;
  readonly username: string;
  readonly password: string;
  readonly folder: string;
}

export const placeVariable = 'DRIVER_PLACE';

/** From the process: an outcome, or what it wants done. */
export type FromCases =
  | { readonly id: number; readonly failed: string | undefined }
  | { readonly ask: 'hang' | 'resume' | 'restart'; readonly id: number };
/** To the process: a case to run, or what was asked is done. */
export type ToCases =
  | { readonly id: number; readonly group: string; readonly sentence: string }
  | { readonly done: number; readonly failed: string | undefined };

export interface DriverBench {
  /** Rejects with what the case failed of. */
  run(group: string, sentence: string): Promise<void>;
  log(): string;
  stop(): Promise<void>;
}

export async function startDriverBench(release: DockerRelease): Promise<DriverBench> {
  await using stack = new AsyncDisposableStack();
  const sandbox = makeSandbox();
  stack.defer(() => sandbox.remove());
  const engine = await startFunctionEngine(release, sandbox);
  stack.defer(() => engine.stop());
  const gantry = await startFunctionsGantry({
    sandbox,
    engine,
    network: engine.network,
    env: { GANTRY_FUNCTIONS: 'off' },
  });
  stack.defer(() => gantry.halt('SIGKILL'));
  const place: DriverPlace = {
    host: engine.host,
    registry: gantry.registry,
    project: gantry.repository('x').split('/').slice(0, 2).join('/'),
    username: gantry.teamId,
    password: gantry.token,
    folder: sandbox.fresh('driver'),
  };
  const line = engine.network.inside(process.execPath, [
    join(import.meta.dirname, 'driver-process.ts'),
  ]);
  const child = spawn(line.program, line.args, {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, [placeVariable]: JSON.stringify(place) },
  });
  stack.defer(() => end(child));
  const waiting = new Map<number, (failed: string | undefined) => void>();
  let ended: string | undefined;
  child.on('message', async (message: FromCases) => {
    if (!('ask' in message)) return waiting.get(message.id)?.(message.failed);
    const failed = await answer(message.ask).catch((error: Error) => error.message);
    child.send({ done: message.id, failed: failed ?? undefined } satisfies ToCases);
  });
  async function answer(ask: 'hang' | 'resume' | 'restart'): Promise<undefined> {
    if (ask === 'restart') await engine.restart();
    else await engine[ask]();
  }
  child.once('exit', (code) => {
    ended = `the process of the cases ended with ${code}`;
    for (const fail of waiting.values()) fail(ended);
  });
  const running = stack.move();
  let cases = 0;
  return {
    async run(group, sentence) {
      if (ended) throw new Error(ended);
      const id = ++cases;
      const failed = await new Promise<string | undefined>((resolve) => {
        waiting.set(id, resolve);
        child.send({ id, group, sentence } satisfies ToCases);
      });
      waiting.delete(id);
      if (failed !== undefined) throw new Error(failed);
    },
    log: () => engine.log(),
    stop: () => running.disposeAsync(),
  };
}

function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.kill('SIGKILL');
  });
}
