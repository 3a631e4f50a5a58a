import assert from 'node:assert/strict';
import type { RequestListener } from 'node:http';
import test from 'node:test';
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

async function running(
  t: Parameters<typeof container>[0],
  world: World,
  listener: RequestListener = echo,
) {
  const activator = new TestActivator(t, portOfServer(await container(t, listener)));
  return { ...(await gatewayFor(t, world, activator)), activator };
}

const host = 'localhost:5050';

test('by path: production, a preview, a deployment, a service', async (t) => {
  const world = new World();
  const dpl = `dpl_${'0'.repeat(32)}`;
  world.deploy(dpl);
  world.deploy('1');
  world.deploy('2', { name: 'feature/x' });
  world.deploy('3', { name: 'two', services: { a: {}, b: {} } });
  const { port, activator } = await running(t, world);
  for (const [prefix, deploymentId, service] of [
    ['/run/acme/shop', '1', 'web'],
    ['/run/acme/shop@feature%2Fx', '2', 'web'],
    [`/run/acme/shop@${dpl}`, dpl, 'web'],
    ['/run/acme/shop@two:b', '3', 'b'],
  ] as const) {
    const { status, body } = await ask(port, { host, path: `${prefix}/a/b?c=d` });
    assert.equal(status, 200, prefix);
    const seen = JSON.parse(body);
    assert.equal(seen.url, '/a/b?c=d');
    assert.equal(seen.headers['x-forwarded-prefix'], prefix);
    assert.equal(seen.headers.host, host);
    const target = activator.targets.at(-1)!;
    assert.deepEqual([target.deploymentId, target.service.name], [deploymentId, service]);
  }
  assert.equal((await ask(port, { host, path: '/run/acme/shop@two/' })).status, 404);
});

test('the folder itself gets its slash', async (t) => {
  const world = new World();
  world.deploy('1');
  const { port } = await running(t, world);
  const answer = await ask(port, { host, path: '/run/acme/shop?a=b' });
  assert.deepEqual([answer.status, answer.headers.location], [308, '/run/acme/shop/?a=b']);
  const posted = await ask(port, { host, path: '/run/acme/shop?a=b', method: 'POST' });
  assert.equal(JSON.parse(posted.body).url, '/?a=b');
});

test("pages are of no origin, whatever the function says, and cannot speak for the registry's", async (t) => {
  const world = new World();
  world.deploy('1');
  const { port } = await running(t, world, (_req, res) => {
    res.writeHead(200, {
      'content-security-policy': "default-src 'self'; sandbox allow-same-origin allow-scripts",
      'clear-site-data': '"*"',
      'strict-transport-security': 'max-age=1',
      'service-worker-allowed': '/',
      'www-authenticate': 'Basic',
      'access-control-allow-origin': '*',
    });
    res.end();
  });
  const { headers } = await ask(port, { host, path: '/run/acme/shop/' });
  const policies = String(headers['content-security-policy']).split(', ');
  assert.equal(policies.length, 2);
  assert.match(policies[1]!, /^sandbox /);
  assert.doesNotMatch(policies[1]!, /allow-same-origin|allow-top-navigation(?!-by)/);
  for (const name of ['clear-site-data', 'strict-transport-security', 'www-authenticate']) {
    assert.equal(headers[name], undefined, name);
  }
  assert.equal(headers['service-worker-allowed'], undefined);
  assert.equal(headers['access-control-allow-origin'], '*');
  const refused = await ask(port, { host, path: '/run/acme/nothing/' });
  assert.equal(refused.status, 404);
});

test("Gantry's own answers below /run/ are sandboxed as well", async (t) => {
  const world = new World();
  world.deploy('1');
  const activator = new TestActivator(t, 1);
  activator.refuse = new Error('x');
  const { port } = await gatewayFor(t, world, activator);
  const { headers } = await ask(port, { host, path: '/run/acme/shop/' });
  assert.match(String(headers['content-security-policy']), /^sandbox/);
});

test("the visitor's session goes neither way, and cookies stay below the prefix", async (t) => {
  const world = new World();
  world.deploy('1');
  const cookies = [
    'a=1',
    'b=2; Path=/',
    'c=3; Path=/sub; HttpOnly; Domain=localhost',
    'd=4; path=//x; PATH=nothing',
    'e=5; Path=/run/acme/shop/x',
    'gantry_session=evil; Path=/',
    '__Host-gantry_session=evil; Path=/; Secure',
    '=gantry_session=evil',
    'gantry_session',
  ];
  const { port } = await running(t, world, (req, res) => {
    res.writeHead(200, { 'set-cookie': cookies });
    res.end(req.headers.cookie);
  });
  const answer = await ask(port, {
    host,
    path: '/run/acme/shop/',
    headers: { cookie: 'gantry_session=secret; own=1' },
  });
  assert.equal(answer.body, 'own=1');
  assert.deepEqual(answer.headers['set-cookie'], [
    'a=1; Path=/run/acme/shop/',
    'b=2; Path=/run/acme/shop/',
    'c=3; HttpOnly; Path=/run/acme/shop/sub',
    'd=4; Path=/run/acme/shop/',
    'e=5; Path=/run/acme/shop/x',
  ]);
});

test('a redirect to a path stays below the prefix; one to another place is left', async (t) => {
  const world = new World();
  world.deploy('1');
  const { port } = await running(t, world, (req, res) => {
    const to = new URL(req.url!, 'http://x').searchParams.get('to')!;
    res.writeHead(302, { location: to }).end();
  });
  for (const [to, expected] of [
    ['/login?a', '/run/acme/shop/login?a'],
    ['next', 'next'],
    ['https://other.example/', 'https://other.example/'],
    ['//other.example/', '//other.example/'],
    ['/run/acme/shop/x', '/run/acme/shop/x'],
  ] as const) {
    const path = `/run/acme/shop/?to=${encodeURIComponent(to)}`;
    assert.equal((await ask(port, { host, path })).headers.location, expected);
  }
});

test("a function's own host may have pages below /run/", async (t) => {
  const world = new World();
  world.deploy('1');
  const row = world.hosts.get('shop-1')!;
  world.hosts.set('shop.example', { ...row, host: 'shop.example', custom: true });
  const { port } = await running(t, world);
  for (const own of ['shop.localhost', 'shop.example']) {
    const { body } = await ask(port, { host: own, path: '/run/acme/shop/x' });
    assert.equal(JSON.parse(body).url, '/run/acme/shop/x');
    assert.equal(JSON.parse(body).headers['x-forwarded-prefix'], undefined);
  }
});

test('a deployment of another project is not there', async (t) => {
  const world = new World();
  const id = `dpl_${'1'.repeat(32)}`;
  const foreign = { ...world.deploy(id), projectId: 'prj_other' };
  world.deployments.set(id, foreign);
  const { port } = await running(t, world);
  assert.equal(project.slug, 'shop');
  assert.equal((await ask(port, { host, path: `/run/acme/shop@${id}/` })).status, 404);
});
