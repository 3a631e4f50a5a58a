import { setTimeout as delay } from 'node:timers/promises';
import { type ExecOptions, RuntimeError, type RuntimeExec } from '../../ports/runtime-driver.ts';
import { demux } from './demux.ts';
import { type Engine, EngineError } from './engine.ts';
import { isOfContainer, killTree } from './local-process.ts';
import { pathOf } from './next-end.ts';
import { hasStatus, noSuchInstance, refused } from './refusals.ts';

/** What is read of `GET /exec/{id}/json`. */
interface InspectedExec {
  readonly Running: boolean;
  readonly ExitCode: number | null;
  /** On the engine's machine; 0 until it runs. */
  readonly Pid: number;
}

/** How often is asked whether a command has ended whose output nobody reads to its end: from often to seldom. */
const pollMs = { first: 50, most: 1_000 };
/** After its end, for the reader to begin. */
const unreadMs = 10_000;
/** How long a command may take to have a process that can be killed. */
const pidLimit = 5_000;

/**
 * Runs a command in a container that runs. Rejects with `no-such-instance`, `start-failed` where it is frozen,
 * `invalid-spec` or `unavailable`. A program that is not there shows in the output, and as exit code 126 or 127.
 *
 * The engine has no call that ends a command: `kill` sends SIGKILL to its processes on this machine, and
 * rejects with `unavailable` where the engine runs elsewhere.
 */
export async function startExec(
  engine: Engine,
  container: string,
  options: ExecOptions,
): Promise<RuntimeExec> {
  options.signal?.throwIfAborted();
  const { Id } = await engine
    .call<{ Id: string }>({
      method: 'POST',
      path: `${pathOf(container)}/exec`,
      body: {
        AttachStdin: options.stdin !== undefined,
        AttachStdout: true,
        AttachStderr: true,
        Tty: false,
        Cmd: options.command,
        Env: Object.entries(options.env ?? {}).map(([name, value]) => `${name}=${value}`),
        ...(options.workingDir ? { WorkingDir: options.workingDir } : {}),
        ...(options.user ? { User: options.user } : {}),
      },
    })
    .catch((error) => {
      throw notStarted(error, container);
    });
  const path = `/exec/${Id}`;
  const socket = await engine
    .hijack({ method: 'POST', path: `${path}/start`, body: { Detach: false, Tty: false } })
    .catch((error) => {
      throw notStarted(error, container);
    });
  // A command that ends before its input does: the write fails, and nobody minds.
  socket.on('error', () => {});
  const finished = new AbortController();
  const inspect = () =>
    engine.call<InspectedExec>({ method: 'GET', path: `${path}/json` }).catch((error) => {
      throw refused(error, { 404: 'no-such-instance' });
    });

  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  async function exitCode(): Promise<number> {
    for (let pause = pollMs.first; ; pause = Math.min(pause * 2, pollMs.most)) {
      // The end of the output comes a moment before the engine knows the code.
      await (socket.destroyed ? delay(5) : Promise.race([closed, delay(pause)]));
      const { Running, ExitCode } = await inspect();
      if (!Running && ExitCode !== null) return ExitCode;
    }
  }
  const exit = exitCode().finally(() => finished.abort());
  exit.catch(() => {});

  async function kill(): Promise<void> {
    if (!engine.address.local) {
      const message =
        'A command cannot be ended in an engine on another machine: stop the instance.';
      throw new RuntimeError('unavailable', message);
    }
    const deadline = performance.now() + pidLimit;
    for (;;) {
      const { Running, ExitCode, Pid } = await inspect();
      if (!Running && ExitCode !== null) return;
      if (Pid > 0) {
        if (await isOfContainer(Pid, container)) return killTree(Pid);
        // It ended just now, or its process is not of this machine.
        if (!(await inspect()).Running) return;
        const message = `The command's process ${Pid} is not seen on this machine: stop the instance.`;
        throw new RuntimeError('unavailable', message);
      }
      if (performance.now() > deadline) {
        throw new RuntimeError('unavailable', 'The engine does not start the command.');
      }
      await delay(10);
    }
  }

  const onAbort = () => void kill().catch(() => {});
  if (options.signal?.aborted) onAbort();
  options.signal?.addEventListener('abort', onAbort, { once: true });
  const { stdin } = options;
  if (stdin) {
    const onError = () => socket.end();
    stdin.once('error', onError);
    stdin.pipe(socket);
    finished.signal.addEventListener('abort', () => stdin.unpipe(socket), { once: true });
  }
  const onFinished = () => {
    options.signal?.removeEventListener('abort', onAbort);
    // Output that nobody asked for would hold the connection for ever.
    setTimeout(() => read || socket.destroy(), unreadMs).unref();
  };
  finished.signal.addEventListener('abort', onFinished, { once: true });

  let read = false;
  async function* output() {
    read = true;
    try {
      yield* demux(socket);
    } catch (error) {
      const message = `The output of the command broke off: ${(error as Error).message}.`;
      throw new RuntimeError('unavailable', message, { cause: error });
    } finally {
      socket.destroy();
    }
  }
  return { output: output(), exit, kill };
}

function notStarted(error: unknown, container: string): unknown {
  if (hasStatus(error, 404)) return noSuchInstance(container);
  if (error instanceof EngineError && /not running/i.test(error.message)) {
    return new RuntimeError('no-such-instance', `The container ${container} does not run.`);
  }
  return refused(error, { 400: 'invalid-spec', 409: 'start-failed', 500: 'start-failed' });
}
