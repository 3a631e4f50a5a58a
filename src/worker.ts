/** A worker of a server with several: started by the primary, which tells it everything else. */
import { type RunningWorker, startWorker } from './compose-worker.ts';
import { Channel } from './workers/channel.ts';
import type { Hello, StartFailure, WorkerState } from './workers/messages.ts';
import { pipeOf } from './workers/pipes.ts';

let opening: Promise<RunningWorker> | undefined;
/** Undefined where it does not run, or not yet. */
const running = () => opening?.catch(() => undefined);

const channel = new Channel(pipeOf(process), {
  state: async (state: WorkerState) => (await running())?.state(state),
  rotated: async () => (await running())?.rotated(),
  scrape: async () => (await running())?.scrape(),
  flush: async () => (await running())?.flushUses(),
  drain: async (timeoutMs: number) => (await running())?.stop(timeoutMs),
});
// Nothing is drained: without the primary no write would be taken.
channel.onEnd(() => process.exit(0));
// A terminal and some supervisors send them to all processes: the primary says when to stop.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => {});

try {
  const hello = await channel.call<Hello>('hello', undefined);
  opening = startWorker(hello, channel);
  await channel.call('listening', (await opening).url);
} catch (error) {
  const { message, stack, code, address, port } = error as StartFailure;
  await channel.call('failed', { message, stack, code, address, port }).catch(() => {});
  process.exit(1);
}
