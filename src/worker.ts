/** A worker of a server with several: started by the primary, which tells it everything else. */
import { type RunningWorker, startWorker } from './compose-worker.ts';
import { Channel } from './workers/channel.ts';
import type { Hello, StartFailure, WorkerState } from './workers/messages.ts';
import { pipeOf } from './workers/pipes.ts';

let opening: Promise<RunningWorker> | undefined;
/** Undefined where it does not run, or not yet. */
const running = () => opening?.catch(() => undefined);

/** What was told last, also while it starts. */
let told: WorkerState | undefined;

const channel = new Channel(pipeOf(process), {
  async state(state: WorkerState) {
    told = state;
    (await running())?.state(told);
  },
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
  const worker = await opening;
  if (told) worker.state(told);
  await channel.call('listening', worker.url);
} catch (error) {
  const { message, stack, code, address, port } = error as StartFailure;
  await channel.call('failed', { message, stack, code, address, port }).catch(() => {});
  process.exit(1);
}
