import type { RuntimeEvent } from '../../ports/runtime-driver.ts';

/**
 * The engine's events, and those that are found out beside it, in the order in which they come. Ends where
 * the engine's end.
 */
export async function* mergedEvents(
  engine: AsyncIterable<RuntimeEvent>,
  listen: (listener: (event: RuntimeEvent) => void) => () => void,
): AsyncGenerator<RuntimeEvent> {
  const waiting: RuntimeEvent[] = [];
  let wake = () => {};
  let ended = false;
  let failure: { error: unknown } | undefined;
  const add = (event: RuntimeEvent) => {
    waiting.push(event);
    wake();
  };
  const iterator = engine[Symbol.asyncIterator]();
  const pump = async () => {
    try {
      for (let next = await iterator.next(); !next.done; next = await iterator.next())
        add(next.value);
    } catch (error) {
      failure = { error };
    }
    ended = true;
    wake();
  };
  const stop = listen(add);
  void pump();
  try {
    for (;;) {
      for (let event = waiting.shift(); event; event = waiting.shift()) yield event;
      if (ended) break;
      await new Promise<void>((resolve) => {
        wake = resolve;
        if (waiting.length > 0 || ended) resolve();
      });
    }
    if (failure) throw failure.error;
  } finally {
    stop();
    // Not waited for: it may itself wait for an event that does not come.
    void iterator.return?.()?.catch(() => {});
  }
}
