/** What is written down of a request: its lines, its times; and what must never be. */
import assert from 'node:assert/strict';
import { type Dirent, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { functionImage } from './support/images.ts';
import { functionsSuite } from './support/suite.ts';
import { until } from './support/until.ts';

functionsSuite({
  name: 'records',
  tests: {
    'the lines that a request logs are found by its id, and those of others are not': async ({
      gantry,
      functions,
    }) => {
      const image = functionImage({ version: 'lines' });
      const { serviceHost } = await functions.deploy('lines', 'latest', image);
      const first = await gantry.ask(serviceHost, '/log?text=of-the-first');
      const lines = async (answer: typeof first) => {
        const id = answer.headers['x-gantry-id'];
        assert.ok(typeof id === 'string', 'the answer names its request');
        const found = await functions.lines('lines', id);
        return found.map(({ stream, text }) => `${stream}: ${text}`);
      };
      await until(
        async () => (await lines(first)).join().includes('of-the-first') || undefined,
        'its line is kept',
      );
      const second = await gantry.ask(serviceHost, '/log?text=of-the-second&stream=stderr');
      await until(
        async () => (await lines(second)).join().includes('of-the-second') || undefined,
        'its line is kept',
      );
      assert.deepEqual(await lines(first), ['stdout: of-the-first']);
      assert.deepEqual(await lines(second), ['stderr: of-the-second']);
    },

    'a cold answer tells its times, a warm one does not, and the ledger keeps them': async ({
      gantry,
      functions,
    }) => {
      await functions.service('ledger', { freezeAfterMs: 0, idleMs: { production: 1_000 } });
      const image = functionImage({ version: 'ledger', args: ['-start-delay', '700ms'] });
      const { serviceHost } = await functions.deploy('ledger', 'latest', image);
      const cold = await until(async () => {
        const answer = await gantry.ask(serviceHost, '/');
        if (answer.headers['server-timing']) return answer;
        await new Promise((resolve) => setTimeout(resolve, 1_500));
        return undefined;
      }, 'a cold answer');
      const timing = String(cold.headers['server-timing']);
      for (const stage of ['queue', 'boot']) assert.match(timing, new RegExp(`${stage};`));
      const boot = Number(/boot;.*?dur=([\d.]+)/.exec(timing)![1]);
      assert.ok(boot >= 600, timing);
      const warm = await gantry.ask(serviceHost, '/');
      assert.equal(warm.headers['server-timing'], undefined);
      const kept = await until(async () => {
        const text = JSON.stringify(
          await functions.project('GET', '/functions/cold-starts?service=ledger'),
        );
        return text.includes('boot') ? text : undefined;
      }, 'the ledger has it');
      assert.match(kept, /"boot(Ms)?":\d+/);
    },

    "A49: a secret is in the function's environment, and in no log, answer or file of Gantry":
      async ({ gantry, functions }) => {
        const canary = 'canary-5d1f8c9b7a';
        await functions.project('PUT', '/secrets/API_KEY', { value: canary });
        await functions.service('secret', { secrets: { KEY: 'API_KEY' } });
        const image = functionImage({ version: 'secret' });
        const { serviceHost } = await functions.deploy('secret', 'latest', image);
        const { env } = JSON.parse((await gantry.ask(serviceHost, '/echo')).body);
        assert.ok(env.includes(`KEY=${canary}`));
        const said = await Promise.all([
          functions.project('GET', '/services/secret'),
          functions.lines('secret'),
          functions.project('GET', '/deployments'),
        ]);
        assert.doesNotMatch(JSON.stringify(said), new RegExp(canary));
        assert.doesNotMatch(gantry.output(), new RegExp(canary));
        for (const file of filesBelow(gantry.data)) {
          assert.ok(!contentOf(file).includes(canary), file);
        }
      },

    'a secret or volume that is not there is told at deploy': async ({ functions }) => {
      const image = functionImage({ version: 'lacking' });
      const lacking = async (name: string, settings: object, word: RegExp) => {
        // What can be refused at once may be: by the settings' own answer.
        const refused = await functions.service(name, settings).then(
          () => undefined,
          (error: Error) => error.message,
        );
        if (refused !== undefined) return assert.match(refused, word);
        const { state, reason } = await functions.push(name, 'latest', image);
        assert.equal(state, 'failed');
        assert.match(`${reason!.message} ${reason!.hint}`, word);
      };
      await lacking('no-secret', { secrets: { KEY: 'NOT_THERE' } }, /NOT_THERE/);
      await lacking('no-volume', { volumes: [{ name: 'not-there', path: '/v' }] }, /not-there/);
      await lacking('no-machine', { machineType: 'XXL' }, /XXL/);
      await lacking('no-gpu', { machineType: 'GPU-T4' }, /1 GPU T4 where the host has none/);
    },
  },
});

/** Files of instances come and go meanwhile: their folders are listed one by one. */
function filesBelow(folder: string): string[] {
  return entriesOf(folder).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return filesBelow(path);
    return entry.isFile() ? [path] : [];
  });
}

function entriesOf(folder: string): Dirent[] {
  return unlessGone(() => readdirSync(folder, { withFileTypes: true })) ?? [];
}

function contentOf(file: string): Buffer {
  return unlessGone(() => readFileSync(file)) ?? Buffer.alloc(0);
}

function unlessGone<Read>(read: () => Read): Read | undefined {
  try {
    return read();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
