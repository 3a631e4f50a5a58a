import type { ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * Writes a part of a long answer, and resolves when the client has room for the next. One that takes
 * nothing for `patienceMs` is cut.
 */
export async function writeOut(
  res: ServerResponse,
  text: string,
  patienceMs: number,
  signal: AbortSignal,
): Promise<void> {
  if (signal.aborted || res.write(text)) return;
  const drained = new Promise<void>((resolve) => res.once('drain', resolve));
  if (!(await within(drained, patienceMs, signal))) res.destroy();
}

/** Whether `event` came in time, and before the end. */
export async function within(
  event: Promise<unknown>,
  ms: number,
  signal: AbortSignal,
): Promise<boolean> {
  const stop = new AbortController();
  const late = delay(ms, false, { signal: AbortSignal.any([signal, stop.signal]) });
  const came = await Promise.race([event.then(() => true), late.catch(() => false)]);
  stop.abort();
  return came;
}
