/** What tests share that end Gantry by SIGKILL: services that stay, and the wait until one answers again. */
import type { World } from './suite.ts';
import { until } from './until.ts';

/** One instance, which runs until something else ends it, and ends at once. */
export const lasting = {
  freezeAfterMs: 0,
  idleMs: { production: 600_000 },
  maxInstances: 1,
  graceMs: 500,
} as const;

/** Asks as clients do, until that version of the service answers. */
export async function answers(
  { gantry, functions }: World,
  service: string,
  version: string,
): Promise<void> {
  await until(
    async () => {
      const { status, body } = await gantry.ask(functions.serviceHost(service), '/');
      if (status !== 200) throw new Error(`${status} ${body}`);
      return body === `hello from ${version}\n` || undefined;
    },
    `${version} answers`,
    { withinMs: 90_000, everyMs: 100 },
  );
}
