import { setTimeout as delay } from 'node:timers/promises';

/** Asks again until there is an answer; rejects with what was thrown last where there never is. */
export async function until<T>(
  look: () => Promise<T | undefined> | T | undefined,
  what: string,
  { withinMs = 60_000, everyMs = 50 }: { withinMs?: number; everyMs?: number } = {},
): Promise<T> {
  const deadline = performance.now() + withinMs;
  let last: unknown;
  for (;;) {
    try {
      const found = await look();
      if (found !== undefined) return found;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline) {
      throw new Error(`never in ${withinMs} ms: ${what}${last ? ` (${last})` : ''}`);
    }
    await delay(everyMs);
  }
}
