/** Who instances are: tokens in them log in by the real client, files stay readable, pulls have credentials of their own. */
import assert from 'node:assert/strict';
import { functionImage } from './support/images.ts';
import { functionsSuite, type World } from './support/suite.ts';
import { until } from './support/until.ts';

interface Echo {
  readonly env: readonly string[];
  readonly headers: Readonly<Record<string, readonly string[]>>;
}
interface Invocation {
  readonly id: string;
  readonly state: string;
  readonly attempts: number;
  readonly result: { readonly body: string } | null;
}

async function envOf({ gantry }: World, host: string): Promise<Record<string, string>> {
  const { status, body } = await gantry.ask(host, '/echo');
  assert.equal(status, 200, body);
  const { env } = JSON.parse(body) as Echo;
  return Object.fromEntries(env.map((line) => line.split(/=(.*)/s).slice(0, 2)));
}

functionsSuite({
  name: 'identities of instances',
  tests: {
    'docker login with the token of a function, pull of its own project, push refused': async (
      world,
    ) => {
      const { functions, gantry, engine } = world;
      const image = functionImage({ version: 'who', user: '1000:1000' });
      const { serviceHost } = await functions.deploy('who', 'latest', image);
      const env = await envOf(world, serviceHost);
      const token = env.GANTRY_OIDC_TOKEN!;
      assert.equal(env.VERCEL_OIDC_TOKEN, token);
      const { registry } = gantry;
      const said = await engine.docker(['login', '-u', 'oidc', '--password-stdin', registry], {
        input: token,
      });
      assert.match(said, /Login Succeeded/);
      const name = `${registry}/${gantry.repository('who')}`;
      await engine.docker(['pull', `${name}:latest`]);
      await engine.docker(['tag', `${name}:latest`, `${name}:mine`]);
      const refused = await engine.attempt(['push', `${name}:mine`]);
      assert.notEqual(refused.code, 0);
      assert.match(refused.stderr + refused.stdout, /denied|may not push/i);
      await engine.docker(['logout', registry]);
    },

    'the token lies in a file that the USER of the image reads, and cannot change': async (
      world,
    ) => {
      const { functions, gantry } = world;
      const image = functionImage({ version: 'file', user: '1000:1000' });
      const { serviceHost } = await functions.deploy('file', 'latest', image);
      const env = await envOf(world, serviceHost);
      const path = env.GANTRY_OIDC_TOKEN_FILE!;
      assert.equal(path, '/var/run/gantry/oidc-token');
      const read = await gantry.ask(serviceHost, `/file?path=${path}`);
      assert.equal(read.body.trim(), env.GANTRY_OIDC_TOKEN);
      const written = await gantry.ask(serviceHost, `/file?path=${path}`, {
        ...{ method: 'PUT', body: 'forged' },
      });
      assert.ok(written.status >= 400, `${written.status} ${written.body}`);
    },

    'a call that nobody waits for runs, and what came of it can be read': async (world) => {
      const { functions } = world;
      await functions.service('later', { contract: 'function-compute', kind: 'event' });
      await functions.deploy('later', 'latest', functionImage({ version: 'later' }));
      const body = { type: 'async', payload: 'in the night' };
      const made = await functions.project<Invocation>('POST', '/services/later/invoke', body);
      assert.equal(made.state, 'queued');
      const done = await until(async () => {
        const path = `/services/later/invocations/${made.id}`;
        const now = await functions.project<Invocation>('GET', path);
        return now.state === 'succeeded' ? now : undefined;
      }, 'it runs');
      assert.equal((JSON.parse(done.result!.body) as { invoked: string }).invoked, 'in the night');
      const failed = await functions.project<{ functionError: boolean }>(
        'POST',
        '/services/later/invoke',
        { payload: 'fail' },
      );
      assert.equal(failed.functionError, true, 'x-fc-status: 404');
    },

    'no token and no secret is in a log or a label': async (world) => {
      const { functions, gantry, engine } = world;
      const secret = 'canary-5d1f0a';
      await functions.project('PUT', '/secrets/KEY', { value: secret });
      await functions.service('quiet', { secrets: { KEY: 'KEY' } });
      const { serviceHost } = await functions.deploy(
        'quiet',
        'latest',
        functionImage({ version: 'quiet' }),
      );
      const env = await envOf(world, serviceHost);
      assert.equal(env.KEY, secret);
      const listed = await engine.api<{ Labels: object }[]>('GET', '/containers/json?all=1');
      const labels = JSON.stringify(listed.map(({ Labels }) => Labels));
      assert.match(labels, /"gantry.service":"quiet"/);
      for (const text of [labels, gantry.output()]) {
        assert.ok(!text.includes(secret));
        assert.ok(!text.includes(env.GANTRY_OIDC_TOKEN!.slice(0, 40)));
        assert.ok(!text.includes(env.GANTRY_OIDC_TOKEN!.split('.')[2]!));
      }
    },
  },
});
