import assert from 'node:assert/strict';
import test from 'node:test';
import { setImmediate } from 'node:timers/promises';
import {
  ask,
  container,
  echo,
  gatewayFor,
  portOfServer,
  project,
  TestActivator,
  World,
} from './gateway-test-kit.ts';

async function running(t: Parameters<typeof container>[0], world: World) {
  const activator = new TestActivator(t, portOfServer(await container(t, echo)));
  return { ...(await gatewayFor(t, world, activator)), activator };
}

test('hosts of functions are told from all others before anything else', async (t) => {
  const world = new World();
  world.deploy('1');
  const row = { projectId: project.id, deploymentId: '1', environment: undefined };
  world.hosts.set('shop.example', {
    ...row,
    host: 'shop.example',
    custom: true,
    service: undefined,
  });
  const { gateway } = await running(t, world);
  for (const [host, expected] of [
    ['shop.localhost', true],
    ['shop.localhost:5050', true],
    ['SHOP.LocalHost.', true],
    ['nothing.localhost', true],
    ['a.b.localhost', true],
    ['shop.example', true],
    ['localhost', false],
    ['localhost:5050', false],
    ['registry.localhost', false],
    ['Registry.localhost:80', false],
    ['evillocalhost', false],
    ['shop', false],
    ['127.0.0.1:5050', false],
    ['[::1]:5050', false],
    ['other.example', false],
    ['.localhost', false],
    ['', false],
    [undefined, false],
  ] as const) {
    assert.equal(gateway.isFunctionHost(host), expected, String(host));
  }
});

test('by host: the environment, a deployment, a custom name', async (t) => {
  const world = new World();
  world.deploy('1');
  world.deploy('2');
  const environment = { environment: 'production', name: 'production' } as const;
  const custom = { custom: true, projectId: project.id, service: undefined };
  const row = { ...custom, deploymentId: undefined, environment };
  world.hosts.set('shop.example', { ...row, host: 'shop.example' });
  const { port, activator } = await running(t, world);
  for (const host of ['shop.localhost', 'shop-1.localhost', 'SHOP.example', 'shop.localhost:80']) {
    assert.equal((await ask(port, { host })).status, 200, host);
  }
  const asked = activator.targets.map(({ deploymentId }) => deploymentId);
  assert.deepEqual(asked, ['2', '1', '2', '2']);
  assert.equal(activator.targets[1]!.host, 'shop-1.localhost');
  assert.equal(activator.targets[1]!.teamSlug, 'acme');
});

test('what is not there, and what was deleted, look the same', async (t) => {
  const world = new World();
  world.deploy('1', { state: 'deleted' });
  const { port } = await running(t, world);
  const without = ({ body, status }: { body: string; status: number }) => ({ body, status });
  const absent = without(await ask(port, { host: 'absent.localhost' }));
  assert.equal(absent.status, 404);
  assert.deepEqual(without(await ask(port, { host: 'shop-1.localhost' })), absent);
  assert.deepEqual(without(await ask(port, { host: 'shop.localhost' })), absent);
  assert.deepEqual(without(await ask(port, { path: '/run/a/b/c', host: 'localhost' })), absent);
  assert.deepEqual(
    without(await ask(port, { path: '/run/acme/shop/', host: 'localhost' })),
    absent,
  );
  assert.deepEqual(without(await ask(port, { path: '/run/%zz/b/', host: 'localhost' })), absent);
});

test('a label is no custom name, and a custom name no label', async (t) => {
  const world = new World();
  world.deploy('1');
  const { port } = await running(t, world);
  assert.equal((await ask(port, { host: 'shop' })).status, 404);
  const row = world.hosts.get('shop')!;
  world.hosts.set('x', { ...row, host: 'x', custom: true });
  assert.equal((await ask(port, { host: 'x.localhost' })).status, 404);
});

test('what a name leads to is remembered for a moment, and asked again after it', async (t) => {
  const world = new World();
  world.deploy('1');
  const { port, activator, gateway } = await running(t, world);
  const deploymentOf = async () => {
    await ask(port);
    return activator.targets.at(-1)!.deploymentId;
  };
  assert.equal(await deploymentOf(), '1');
  const { asked } = world;
  world.deploy('2');
  assert.equal(await deploymentOf(), '1');
  assert.equal(world.asked, asked);
  world.now += 500;
  assert.equal(await deploymentOf(), '2');
  world.deploy('3');
  gateway.changed();
  assert.equal(await deploymentOf(), '3');
  // A clock that was set back does not keep what is old.
  world.deploy('4');
  world.now -= 60_000;
  assert.equal(await deploymentOf(), '4');
});

test('a name that is not there is not remembered: its first push answers at once', async (t) => {
  const world = new World();
  const { port } = await running(t, world);
  assert.equal((await ask(port)).status, 404);
  world.deploy('1');
  assert.equal((await ask(port)).status, 200);
});

test('the first requests wait until their deployment is ready', async (t) => {
  const world = new World();
  world.deploy('1', { state: 'queued' });
  const { port, activator } = await running(t, world);
  const both = Promise.all([ask(port), ask(port, { host: 'shop-1.localhost' })]);
  world.become('1', 'preparing');
  world.become('1', 'probing');
  assert.equal(activator.targets.length, 0);
  world.become('1', 'ready');
  const statuses = (await both).map(({ status }) => status);
  assert.deepEqual(statuses, [200, 200]);
});

test('one that is ready answers while the next is on its way', async (t) => {
  const world = new World();
  world.deploy('1');
  world.deploy('2', { state: 'preparing' });
  const { port, activator } = await running(t, world);
  assert.equal((await ask(port)).status, 200);
  assert.equal(activator.targets[0]!.deploymentId, '1');
});

test('a deployment that fails says why, to those who wait and those who come later', async (t) => {
  const world = new World();
  world.deploy('1', { state: 'pending' });
  const { port } = await running(t, world);
  const waiting = ask(port);
  const reason = { code: 'NO_SUCH_PLATFORM', message: 'No image for it.', hint: 'Build for it.' };
  world.become('1', 'failed', reason);
  for (const answer of [
    await waiting,
    await ask(port),
    await ask(port, { host: 'shop-1.localhost' }),
  ]) {
    assert.equal(answer.status, 503);
    assert.deepEqual(JSON.parse(answer.body), reason);
  }
});

test('a service whose first deployment failed beside others that run says why at its own host', async (t) => {
  const world = new World();
  world.deploy('1');
  const push = { type: 'push', repositoryId: 'repo_2', tag: 'latest', digest: 'sha256:0' as never };
  for (const name of ['api', 'later', 'back'])
    world.services.push({ id: `svc_${name}`, name } as (typeof world.services)[number]);
  const reason = { code: 'NO_SUCH_PLATFORM', message: 'No image for it.', hint: 'Build for it.' };
  world.deploy('2', {
    state: 'failed',
    reason,
    origin: { ...push, serviceId: 'svc_api' } as never,
  });
  world.deploy('3', { state: 'pending', origin: { ...push, serviceId: 'svc_later' } as never });
  for (const service of ['api', 'later', 'back', 'never'])
    world.hosts.set(`${service}-shop`, { ...world.hosts.get('shop')!, service });
  const { port, activator } = await running(t, world);
  const at = (label: string, path = '/') => ask(port, { host: `${label}.localhost`, path });
  const failed = await at('api-shop');
  assert.deepEqual([failed.status, JSON.parse(failed.body)], [503, reason]);
  assert.equal(failed.body, (await at('shop-2')).body, "the same as at the deployment's own");
  assert.equal((await at('shop')).status, 200);
  const absent = await at('absent');
  world.deploy('4', { services: { web: {} } });
  const rolledBack = { ...push, serviceId: 'svc_back' } as never;
  world.deploy('6', { services: { back: {} }, origin: rolledBack });
  world.pointers.set('production', '4');
  for (const label of ['back-shop', 'never-shop']) {
    const answer = await at(label);
    assert.deepEqual([answer.status, answer.body], [404, absent.body], label);
  }
  // A request waits for the one that is on its way.
  const waiting = at('later-shop');
  while (world.waiting === 0) await setImmediate();
  world.become('3', 'failed', { ...reason, code: 'IMAGE_DELETED' });
  assert.equal(JSON.parse((await waiting).body).code, 'IMAGE_DELETED');
  world.become('3', 'pending');
  const ready = at('later-shop');
  while (world.waiting === 0) await setImmediate();
  world.deploy('5', { services: { web: {}, later: {} } });
  world.become('3', 'ready');
  world.pointers.set('production', '5');
  assert.equal((await ready).status, 200);
  assert.equal(activator.targets.at(-1)!.service.name, 'later');
});

test("a deployment whose server never listened: function-compute's documented body", async (t) => {
  const world = new World();
  const message = "The CA's http server cannot be started: …";
  const reason = { code: 'FunctionNotStarted', message, hint: '' };
  world.deploy('1', { state: 'failed', reason });
  const { port } = await running(t, world);
  const answer = await ask(port);
  assert.equal(answer.status, 502);
  assert.equal(
    answer.body,
    JSON.stringify({ ErrorCode: 'FunctionNotStarted', ErrorMessage: message }),
  );
});

test('waiting for a deployment has an end', async (t) => {
  const world = new World();
  world.deploy('1', { state: 'preparing' });
  const activator = new TestActivator(t, 1);
  const { port, gateway } = await gatewayFor(t, world, activator, { waitMs: 50 });
  const answer = await ask(port);
  assert.equal(answer.status, 503);
  assert.equal(JSON.parse(answer.body).code, 'DEPLOYMENT_NOT_READY');
  assert.equal(answer.headers['retry-after'], '5');
  assert.equal(gateway.inFlight, 0);
});

test('one that was overtaken says so', async (t) => {
  const world = new World();
  world.deploy('1', { state: 'superseded' });
  const { port } = await running(t, world);
  const answer = await ask(port, { host: 'shop-1.localhost' });
  assert.deepEqual([answer.status, JSON.parse(answer.body).code], [410, 'DEPLOYMENT_SUPERSEDED']);
});

test('a paused service, and one that takes events alone, say so', async (t) => {
  const world = new World();
  world.deploy('1', { services: { web: {} } });
  world.deploy('2', { services: { web: { kind: 'event' } }, name: 'events' });
  const { port } = await running(t, world);
  const event = await ask(port, { host: 'shop-events.localhost' });
  assert.deepEqual([event.status, JSON.parse(event.body).code], [404, 'EVENT_FUNCTION']);
  world.services.push({ name: 'web', paused: true } as (typeof world.services)[number]);
  const paused = await ask(port);
  assert.deepEqual([paused.status, JSON.parse(paused.body).code], [503, 'PAUSED']);
});

test('services: by rewrites, by the host, or the only one', async (t) => {
  const world = new World();
  const services = { frontend: {}, backend: {}, hidden: {} };
  world.deploy('1', { services });
  world.deploy('2', {
    services,
    name: 'routed',
    rewrites: [
      { source: '/api/(.*)', destination: { service: 'backend' } },
      { source: '/old/:id', destination: '/api/:id' },
      { source: '/site/(.*)', destination: { service: 'frontend' } },
    ],
  });
  const own = { ...world.hosts.get('shop-1')!, service: 'backend' };
  world.hosts.set('shop-backend', { ...own, host: 'shop-backend' });
  world.hosts.set('shop-hidden', {
    ...world.hosts.get('shop-2')!,
    host: 'shop-hidden',
    service: 'hidden',
  });
  const { port, activator } = await running(t, world);
  const seen = async (host: string, path: string) => {
    const { status, body } = await ask(port, { host: `${host}.localhost`, path });
    if (status !== 200) return status;
    return `${activator.targets.at(-1)!.service.name} ${JSON.parse(body).url}`;
  };
  // Three services, no rewrites, and a name that stands for none of them.
  assert.equal(await seen('shop', '/'), 404);
  assert.equal(await seen('shop-backend', '/x'), 'backend /x');
  assert.equal(await seen('shop-routed', '/api/x?y'), 'backend /api/x?y');
  assert.equal(await seen('shop-routed', '/site/'), 'frontend /site/');
  assert.equal(await seen('shop-routed', '/old/7?y=1'), 'backend /api/7?y=1');
  assert.equal(await seen('shop-routed', '/'), 404);
  // Rewrites name all that is exposed.
  assert.equal(await seen('shop-hidden', '/'), 404);
});
