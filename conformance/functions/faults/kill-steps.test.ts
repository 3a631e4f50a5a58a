/**
 * kill -9 of Gantry before and after each call of a deploy and of a start, by the call's name (support/steps): after
 * the next start the function answers, and the engine holds nothing twice and nothing that should not be.
 * GANTRY_TEST_STEPS is a pattern of the steps to go through.
 */
import assert from 'node:assert/strict';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEnv } from '../../tools/start-env.ts';
import { agrees, held } from '../support/containers.ts';
import { functionImage } from '../support/images.ts';
import { answers, lasting } from '../support/recovering.ts';
import { functionsSuite, type World } from '../support/suite.ts';
import { until } from '../support/until.ts';

const file = join(tmpdir(), `gantry-kill-at-${process.pid}`);
const program = join(import.meta.dirname, '..', 'support', 'steps', 'kill-at.ts');

const wanted = new RegExp(process.env.GANTRY_TEST_STEPS ?? '');
const around = (...calls: string[]) =>
  calls.flatMap((call) => [`before ${call}`, `after ${call}`]).filter((step) => wanted.test(step));

/** Of a deploy beside an older one: its commands, and what is done to the new instance and to the old one. */
const deploy = around(
  'PutManifest',
  'SetDeploymentState preparing',
  'prepare',
  'SetDeploymentState probing',
  'create',
  'start',
  'ActivateDeployment',
  'stop',
  'remove',
);
/** Of a request that needs a start, and of what is written down about it. */
const start = around('create', 'start', 'AppendFunctionLogs');
const ladder = around('freeze', 'thaw');

/** Asks, as clients do, until the step is reached, or for so long. */
async function asksOn({ gantry }: World, host: string, forMs = 60_000): Promise<void> {
  const deadline = performance.now() + forMs;
  while (existsSync(file) && performance.now() < deadline) {
    await gantry.ask(host, '/').catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Does what leads to the step, and starts again once it was killed there. */
async function killedAt({ gantry }: World, step: string, work: () => Promise<unknown>) {
  writeFileSync(file, step);
  const working = work().catch(() => undefined);
  try {
    await until(() => !existsSync(file) || undefined, `it comes to the step: ${step}`, {
      withinMs: 60_000,
      everyMs: 10,
    });
  } finally {
    rmSync(file, { force: true });
  }
  await gantry.ended();
  const result = await working;
  await gantry.resume();
  return result;
}

functionsSuite({
  name: 'kill -9 of Gantry at each step',
  env: { NODE_OPTIONS: `${startEnv.NODE_OPTIONS} --import=${program}`, KILL_AT_FILE: file },
  tests: {
    'of a deploy': async (world, t) => {
      const { gantry, functions, engine } = world;
      await functions.service('deploy', lasting);
      await functions.deploy('deploy', 'latest', functionImage({ version: 'before' }));
      await answers(world, 'deploy', 'before');
      for (const step of deploy) {
        const began = performance.now();
        const image = functionImage({ version: step });
        const repository = gantry.repository('deploy');
        const url = await killedAt(world, step, () => gantry.push(repository, 'latest', image));
        // Not acknowledged, so the client pushes it again.
        if (step === 'before PutManifest') await gantry.push(repository, 'latest', image);
        else if (step !== 'after PutManifest') assert.ok(url, 'acknowledged');
        await answers(world, 'deploy', step);
        await agrees(engine, { deploy: 1 });
        t.diagnostic(`${step}: ${Math.round(performance.now() - began)} ms`);
      }
    },

    'of a start': async (world, t) => {
      const { functions, engine } = world;
      await functions.service('start', lasting);
      const image = functionImage({ version: 'start' });
      const { serviceHost } = await functions.deploy('start', 'latest', image);
      await answers(world, 'start', 'start');
      for (const step of start) {
        const began = performance.now();
        await killedAt(world, step, async () => {
          // As an operator's `docker rm -f` does: the next request needs a start. What was created ahead may be
          // started before it is removed, too: then once more.
          while (existsSync(file)) {
            for (const { id } of await held(engine, 'start')) {
              await engine.api('DELETE', `/containers/${id}?force=1`).catch(() => {});
            }
            await asksOn(world, serviceHost, 3_000);
          }
        });
        await answers(world, 'start', 'start');
        await agrees(engine, { deploy: 1, start: 1 });
        t.diagnostic(`${step}: ${Math.round(performance.now() - began)} ms`);
      }
    },

    'of freezing and thawing': async (world, t) => {
      const { functions, engine } = world;
      await functions.service('ladder', { ...lasting, freezeAfterMs: 1_000 });
      const image = functionImage({ version: 'ladder' });
      const { serviceHost } = await functions.deploy('ladder', 'latest', image);
      for (const step of ladder) {
        const began = performance.now();
        await answers(world, 'ladder', 'ladder');
        await killedAt(world, step, async () => {
          if (step.endsWith('freeze')) return;
          await until(
            async () => {
              const found = await functions.instances('ladder');
              return found.some(({ state }) => state === 'frozen') || undefined;
            },
            'it is frozen',
            { withinMs: 30_000 },
          );
          await asksOn(world, serviceHost);
        });
        await answers(world, 'ladder', 'ladder');
        await agrees(engine, { deploy: 1, start: 1, ladder: 1 });
        t.diagnostic(`${step}: ${Math.round(performance.now() - began)} ms`);
      }
    },
  },
});
