import { Agent } from 'node:http';
import { ask } from './ask.ts';
import type { FunctionsGantry } from './gantry.ts';
import { until } from './until.ts';

export interface LoadResult {
  readonly answered: number;
  /** Everything that was not a 200: the first twenty. */
  readonly failures: readonly string[];
  /** How often each body came. */
  readonly bodies: Readonly<Record<string, number>>;
  readonly last: string;
}

export interface Load {
  /** Resolves once so many more requests were answered. */
  passed(count: number): Promise<void>;
  /** No new requests; resolves when those under way are answered. */
  stop(): Promise<LoadResult>;
}

/**
 * Clients that ask one after another, over connections that are kept. `untilRefused`: each ends, without a failure,
 * where nobody takes its connection any more.
 */
export function startLoad(
  gantry: FunctionsGantry,
  host: string,
  options: {
    readonly clients: number;
    readonly path: string;
    readonly pauseMs?: number;
    readonly untilRefused?: boolean;
  },
): Load {
  const agent = new Agent({ keepAlive: true, maxSockets: options.clients });
  const failures: string[] = [];
  const bodies: Record<string, number> = {};
  let answered = 0;
  let last = '';
  let ending = false;
  const clients = Array.from({ length: options.clients }, async () => {
    while (!ending) {
      try {
        const { status, body } = await ask(gantry.origin, options.path, { host, agent });
        if (status !== 200) fail(`${status} ${body}`);
        else {
          bodies[body] = (bodies[body] ?? 0) + 1;
          last = body;
        }
      } catch (error) {
        const refused = (error as NodeJS.ErrnoException).code === 'ECONNREFUSED';
        if (refused && options.untilRefused) return;
        fail(String(error));
      }
      answered += 1;
      if (options.pauseMs) await new Promise((resolve) => setTimeout(resolve, options.pauseMs));
    }
  });

  function fail(why: string): void {
    if (failures.length < 20) failures.push(why);
  }

  return {
    async passed(count) {
      const wanted = answered + count;
      await until(() => (answered >= wanted ? true : undefined), `${count} more answers`);
    },
    async stop() {
      ending = true;
      await Promise.all(clients);
      agent.destroy();
      return { answered, failures, bodies, last };
    },
  };
}
