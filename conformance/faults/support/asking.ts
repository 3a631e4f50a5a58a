import assert from 'node:assert/strict';
import { expectStatus } from '../../spec/check.ts';
import { type Answer, type AskOptions, Registry } from '../../spec/client.ts';
import type { Change, Register } from './register.ts';

/** The server went away while it was asked: nobody knows what became of the request. */
export class Gone extends Error {
  override readonly name = 'Gone';
}

/** A client that tells a server that went away from one that answers wrongly. */
export class Asker {
  readonly #registry: Registry;

  constructor(origin: string, authorization: string) {
    this.#registry = new Registry(origin, authorization);
  }

  /** `target`: a path, and a query perhaps. A 5xx, or an answer against the rules for all, is an assertion that failed. */
  async ask(method: string, target: string, options: AskOptions = {}): Promise<Answer> {
    try {
      return await this.#registry.ask(method, target, options);
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
      throw new Gone(`${method} ${target}`, { cause: error });
    }
  }

  async expect(
    status: number | readonly number[],
    method: string,
    target: string,
    options?: AskOptions,
  ): Promise<Answer> {
    const statuses = typeof status === 'number' ? [status] : status;
    return expectStatus(await this.ask(method, target, options), ...statuses);
  }

  /**
   * A request that changes values. Answered with 2xx: they have changed; with 4xx: they have not; not
   * answered: nobody knows.
   */
  async change(
    changes: readonly [register: Register<never>, change: Change<never>][],
    statuses: readonly number[],
    method: string,
    target: string,
    options?: AskOptions,
  ): Promise<Answer> {
    const answer = await this.expect(statuses, method, target, options);
    for (const [register, change] of changes) {
      if (answer.status < 300) register.acknowledge(change);
      else register.refuse(change);
    }
    return answer;
  }

  close(): void {
    this.#registry.close();
  }
}

/** Path and query of a Location, for a server that comes back on another port. */
export function locationOf(answer: Answer): string {
  const { pathname, search } = new URL(answer.location());
  return pathname + search;
}

export function withQuery(location: string, query: Readonly<Record<string, string>>): string {
  return `${location}${location.includes('?') ? '&' : '?'}${new URLSearchParams(query)}`;
}
