import { RuntimeError } from '../../ports/runtime-driver.ts';
import type { Engine } from './engine.ts';
import { hasStatus, noSuchInstance, refused } from './refusals.ts';

export function pathOf(id: string): string {
  return `/containers/${encodeURIComponent(id)}`;
}

export interface NextEnd {
  /** Rejects with `unavailable`, or the reason of the signal. */
  readonly code: Promise<number>;
  cancel(): void;
}

/**
 * Resolves once the engine waits for the next end of the container: later ones are not missed. Rejects with
 * `no-such-instance` or `unavailable`.
 */
export async function nextEnd(engine: Engine, id: string, signal?: AbortSignal): Promise<NextEnd> {
  const query = { condition: 'next-exit' };
  const stream = await engine
    .stream({ method: 'POST', path: `${pathOf(id)}/wait`, query, signal })
    .catch((error) => {
      throw hasStatus(error, 404) ? noSuchInstance(id) : refused(error, {});
    });
  const read = async () => {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of stream) chunks.push(chunk as Buffer);
      return (JSON.parse(Buffer.concat(chunks).toString()) as { StatusCode: number }).StatusCode;
    } catch (error) {
      signal?.throwIfAborted();
      const message = `The container engine broke off: ${(error as Error).message}.`;
      throw new RuntimeError('unavailable', message, { cause: error });
    }
  };
  const code = read();
  code.catch(() => {});
  return { code, cancel: () => void stream.destroy() };
}

/** Resolves with undefined after `ms`, or where `signal` says so. */
export function later(ms: number, signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve(undefined);
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end, { once: true });
  });
}
