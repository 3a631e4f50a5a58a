/** What function-compute's users see when a container does not start, and how events reach it. */
import assert from 'node:assert/strict';
import { functionImage } from './support/images.ts';
import { functionsSuite, type World } from './support/suite.ts';

/** The document's words, with what differs from run to run left open. */
function golden(lines: string): RegExp {
  const dial = String.raw`dial tcp \d+\.\d+\.\d+\.\d+:9000: getsockopt: connection refused`;
  return new RegExp(
    String.raw`^\{"ErrorCode":"FunctionNotStarted","ErrorMessage":"The CA's http server cannot be started: ` +
      String.raw`ContainerStartDuration: \d+\. Ping CA failed due to: ${dial}${lines}"\}$`,
  );
}

async function failing(world: World, name: string, args: readonly string[], settings = {}) {
  const { functions, gantry } = world;
  await functions.service(name, {
    contract: 'function-compute',
    startTimeoutMs: 3_000,
    ...settings,
  });
  const image = functionImage({ version: name, args });
  const deployed = await functions.push(name, 'latest', image);
  return { deployed, answer: await gantry.ask(deployed.host, '/') };
}

functionsSuite({
  name: 'contracts',
  tests: {
    'a server on 127.0.0.1 alone: the deploy says so, and requests get the documented error':
      async (world) => {
        const { deployed, answer } = await failing(world, 'loopback', ['-listen', 'loopback']);
        assert.equal(deployed.state, 'failed');
        assert.match(deployed.reason!.message, /127\.0\.0\.1/);
        assert.match(deployed.reason!.hint, /0\.0\.0\.0/);
        assert.match(JSON.stringify(deployed.reason!.logs), /listens on 127\.0\.0\.1:9000/);
        assert.equal(answer.status, 502);
        assert.match(answer.body, golden(String.raw` Logs:.*listens on 127\.0\.0\.1:9000.*`));
      },

    'no server at all: told apart from that, and without logs where they are off': async (
      world,
    ) => {
      const settings = { logsInErrors: false };
      const { deployed, answer } = await failing(world, 'none', ['-listen', 'none'], settings);
      assert.equal(deployed.state, 'failed');
      assert.match(deployed.reason!.message, /9000/);
      assert.doesNotMatch(deployed.reason!.message, /127\.0\.0\.1 (alone|only)/);
      assert.equal(answer.status, 502);
      assert.match(answer.body, golden(''));
    },

    'a container that ends at its start says with what code, and its last lines': async (world) => {
      const { deployed } = await failing(world, 'ends', ['-exit-code', '3', '-say', 'no config']);
      assert.equal(deployed.state, 'failed');
      assert.match(deployed.reason!.message, /\b3\b/);
      assert.match(JSON.stringify(deployed.reason!.logs), /no config/);
    },

    'an image whose program is not there says so at deploy': async ({ functions }) => {
      await functions.service('absent', { command: ['/not/there'] });
      const { state, reason } = await functions.push(
        'absent',
        'latest',
        functionImage({ version: 'absent' }),
      );
      assert.equal(state, 'failed');
      assert.match(reason!.message, /\/not\/there/);
    },

    'a slow start is waited for': async ({ functions, gantry }) => {
      const image = functionImage({ version: 'slow', args: ['-start-delay', '3s'] });
      const url = await gantry.push(gantry.repository('slow'), 'latest', image);
      assert.equal((await gantry.ask(url!, '/')).body, 'hello from slow\n');
      assert.equal((await functions.settled(url!)).state, 'ready');
    },

    'an event reaches /invoke, after /initialize once, with the documented headers': async ({
      functions,
    }) => {
      await functions.service('event', {
        ...{ contract: 'function-compute', kind: 'event', initialize: true, handler: 'index.run' },
      });
      await functions.deploy('event', 'latest', functionImage({ version: 'event' }));
      for (const payload of ['one', 'two']) {
        const { body } = await functions.invoke('event', payload);
        const told = JSON.parse(body);
        assert.equal(told.invoked, payload);
        assert.equal(told.initialized, 1);
        assert.deepEqual(told.headers['X-Fc-Control-Path'], ['/invoke']);
        assert.deepEqual(told.headers['X-Fc-Function-Name'], ['event']);
        assert.deepEqual(told.headers['X-Fc-Function-Handler'], ['index.run']);
        assert.ok(told.headers['X-Fc-Request-Id']?.[0]);
        assert.ok(told.headers['X-Fc-Security-Token']?.[0]);
      }
    },

    'cloud-run: PORT 8080, K_SERVICE and K_REVISION': async ({ functions, gantry }) => {
      await functions.service('run', { contract: 'cloud-run' });
      const { serviceHost } = await functions.deploy(
        'run',
        'latest',
        functionImage({ version: 'run' }),
      );
      const { env } = JSON.parse((await gantry.ask(serviceHost, '/echo')).body);
      assert.ok(env.includes('PORT=8080'));
      assert.ok(env.includes('K_SERVICE=run'));
      assert.ok(env.some((one: string) => one.startsWith('K_REVISION=')));
    },
  },
});
