/** Values for whoever listens at the moment; `undefined` ends them all. */
export class EventChannel<T> {
  readonly #listeners = new Set<(value: T | undefined) => void>();

  send(value: T | undefined): void {
    for (const listener of this.#listeners) listener(value);
  }

  /** From now on, until `signal`. */
  async *listen(signal: AbortSignal): AsyncIterable<T> {
    const line: (T | undefined)[] = [];
    let wake = Promise.withResolvers<void>();
    const listener = (value: T | undefined) => {
      line.push(value);
      wake.resolve();
    };
    const end = () => listener(undefined);
    signal.addEventListener('abort', end, { once: true });
    this.#listeners.add(listener);
    try {
      for (;;) {
        while (line.length > 0) {
          const value = line.shift();
          if (value === undefined) return;
          yield value;
        }
        await wake.promise;
        wake = Promise.withResolvers<void>();
      }
    } finally {
      this.#listeners.delete(listener);
      signal.removeEventListener('abort', end);
    }
  }
}
