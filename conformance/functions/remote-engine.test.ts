/** An engine on another machine, by TCP with client certificates: what works there, and what is said of the rest. */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { openDockerDriver } from '../../src/runtimes/docker/open-docker.ts';
import { makeSandbox } from '../clients/support/sandbox.ts';
import { firstObstacle } from '../clients/support/suite.ts';
import { tar } from '../clients/support/tar.ts';
import { ask } from './support/ask.ts';
import { held } from './support/containers.ts';
import { docker29, engineObstacle } from './support/engine.ts';
import { Functions } from './support/functions-api.ts';
import { type FunctionsGantry, startFunctionsGantry } from './support/gantry.ts';
import { functionImage } from './support/images.ts';
import { type RemoteEngine, remoteObstacle, startRemoteEngine } from './support/remote-engine.ts';
import { needsServerProgram } from './support/server-program.ts';
import { until } from './support/until.ts';

const skip = firstObstacle(engineObstacle(docker29), remoteObstacle(), needsServerProgram());
/** Of its own: the machine gets a route there. */
const range = `10.217.${randomInt(0, 256)}.0/24`;
const image = functionImage({ version: 'far' });

interface World extends AsyncDisposable {
  readonly remote: RemoteEngine;
  readonly gantry: FunctionsGantry;
  readonly functions: Functions;
}

async function open(): Promise<World> {
  await using stack = new AsyncDisposableStack();
  const sandbox = makeSandbox();
  stack.defer(() => sandbox.remove());
  const remote = await startRemoteEngine(docker29, sandbox);
  stack.defer(() => remote.engine.stop());
  const gantry = await startFunctionsGantry({
    ...{ sandbox, engine: remote.engine, network: remote.here, folder: remote.folder },
    env: {
      ...remote.env,
      GANTRY_FUNCTIONS_NETWORK: range,
      GANTRY_DISK_WATCH_INTERVAL: '500ms',
    },
  });
  stack.defer(() => gantry.halt());
  const closing = stack.move();
  const close = () => closing.disposeAsync();
  return { remote, gantry, functions: new Functions(gantry), [Symbol.asyncDispose]: close };
}

describe('an engine on another machine', { ...(skip ? { skip } : {}) }, () => {
  let world: World;
  before(async () => {
    if (!skip) world = await open();
  });
  after(() => world?.[Symbol.asyncDispose]());

  test('it is reached with a certificate that it knows, and else it is said what is wrong', async () => {
    const { host, env, authority, certificates } = world.remote;
    const missing = async (more: Record<string, string>, dockerHost: string | undefined = host) => {
      const found = await openDockerDriver({
        ...{ dockerHost, env: more, installation: 'another' },
        pullAddress: () => '10.254.0.1:5000',
      });
      if ('missing' in found) return found.missing;
      const { missing } = await found.driver.capabilities();
      await found.driver.close();
      return missing;
    };
    const tls = { DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: env.DOCKER_CERT_PATH! };
    assert.ok(Array.isArray(await missing(tls)), 'by the setting');
    assert.ok(Array.isArray(await missing({ ...tls, DOCKER_HOST: host }, '')), 'by DOCKER_HOST');
    const { DOCKER_CERT_PATH: DOCKER_CONFIG } = tls;
    assert.ok(Array.isArray(await missing({ DOCKER_TLS_VERIFY: '1', DOCKER_CONFIG })));
    assert.match(String(await missing({})), /wants TLS: set DOCKER_TLS_VERIFY=1/);
    const with_ = (DOCKER_CERT_PATH: string) => missing({ ...tls, DOCKER_CERT_PATH });
    assert.match(String(await with_('/none')), /cannot be read: set DOCKER_CERT_PATH/);
    const stranger = certificates('stranger').issue('client', 'client');
    assert.match(String(await with_(stranger)), /ca\.pem .* has to be of who signed it/);
    const none = authority.issue('none', undefined);
    assert.match(String(await with_(none)), /have to be of a client that it knows/);
  });

  test('what cannot be had there is said at the start', async () => {
    const { missing, networkGuard } = await world.gantry.api<{
      missing: string[];
      networkGuard: boolean;
    }>('GET', '/functions');
    assert.equal(networkGuard, false);
    for (const what of [
      /have to be routed to this one/,
      /127\.0\.0\.1 alone is not told from none/,
      /not guarded: the container engine is on another machine/,
      /Bucket volumes need the container engine on this machine/,
    ]) {
      assert.ok(
        missing.some((one) => what.test(one)),
        `${what}: ${missing.join('\n')}`,
      );
    }
    assert.match(world.gantry.output(), /"warn".*have to be routed to this one/);
  });

  test('what answers at the address is not taken for the function while no route leads there', async () => {
    const { functions } = world;
    await functions.service('lost', { machineType: 'XS', startTimeoutMs: 3_000 });
    const { state, reason } = await functions.push('lost', 'latest', image);
    assert.equal(state, 'failed');
    assert.match(reason!.message, /have to be routed to this one: see docs/);
  });

  test('a bucket volume is refused at the deploy', async () => {
    const { functions } = world;
    const bucket = { region: 'us-east-1', bucket: 'files', accessKeyId: 'a', secretAccessKey: 'b' };
    await functions.project('POST', '/volumes', { name: 'objects', kind: 'bucket', bucket });
    await functions.service('bucket', { volumes: [{ name: 'objects', path: '/objects' }] });
    const { state, reason } = await functions.push('bucket', 'latest', image);
    assert.deepEqual([state, reason?.code], ['failed', 'NO_BUCKET_VOLUMES']);
  });

  test('with a route, a function answers, is paused by the engine and goes on', async () => {
    const { functions, gantry, remote } = world;
    remote.route(range);
    const settings = { machineType: 'XS', freezeAfterMs: 300, idleMs: { production: 600_000 } };
    await functions.service('far', settings);
    const { serviceHost } = await functions.deploy('far', 'latest', image);
    const state = async () => JSON.parse((await gantry.ask(serviceHost, '/state')).body);
    const { started } = await state();
    const paused = () =>
      until(
        async () =>
          (await held(remote.engine, 'far')).some((one) => one.state === 'paused') || undefined,
        'the engine has paused it',
      );
    await paused();
    assert.equal((await state()).started, started, 'the same instance goes on');

    // Its token: copied into it, and again when another takes its place.
    const token = async () =>
      (await gantry.ask(serviceHost, '/file?path=/var/run/gantry/oidc-token')).body;
    const first = await token();
    assert.match(first, /^[\w-]+\.[\w-]+\.[\w-]+$/);
    await paused();
    await gantry.halt();
    await gantry.resume();
    assert.equal((await state()).started, started, 'it was taken over, frozen');
    await until(async () => (await token()) !== first || undefined, 'its token was renewed');
    assert.match(await token(), /^[\w-]+\.[\w-]+\.[\w-]+$/);
  });

  test('a sandbox waits by a program that is copied into it, and runs commands', async () => {
    const { functions, gantry } = world;
    const { repository } = gantry;
    await gantry.push(repository('tools'), 'v1', functionImage({ version: 'tools' }));
    const made = await functions.project<{ id: string }>('POST', '/sandboxes', {
      image: 'tools:v1',
      machineType: 'XS',
    });
    const path = `/api/v1/teams/${gantry.teamSlug}/projects/${gantry.projectSlug}/sandboxes/${made.id}`;
    const headers = { authorization: `Bearer ${gantry.token}` };
    const archive = tar([{ name: 'note', bytes: Buffer.from('written there'), mode: 0o644 }]);
    const written = await ask(gantry.origin, `${path}/files?path=/tmp`, {
      ...{ method: 'PUT', body: archive },
      headers: { ...headers, 'content-type': 'application/x-tar' },
    });
    assert.equal(written.status, 204, written.body);
    const read = await ask(gantry.origin, `${path}/files?path=/tmp/note`, { headers });
    assert.ok(read.body.includes('written there'));
    const run = (command: readonly string[]) =>
      ask(gantry.origin, `${path}/exec`, {
        ...{ method: 'POST', body: JSON.stringify({ command }) },
        headers: { ...headers, 'content-type': 'application/json' },
      });
    assert.match((await run(['/server', 'sleep', '1ms'])).body, /"exit":0/);
    assert.match(
      (await run(['/server', '-none'])).body,
      /flag provided but not defined.*"exit":2/s,
    );
    await functions.project('DELETE', `/sandboxes/${made.id}`);
  });

  test('A44: one that writes more than it may is ended, by the count of the engine', async () => {
    const { functions, gantry } = world;
    await functions.service('disk', { machineType: 'XS', idleMs: { production: 600_000 } });
    const { serviceHost } = await functions.deploy('disk', 'latest', image);
    await gantry.ask(serviceHost, '/bomb?kind=disk&mb=520').catch(() => undefined);
    await until(
      () => /"reason":"[^"]*disk/.test(gantry.output()) || undefined,
      'its end has a reason',
    );
  });
});
