import assert from 'node:assert/strict';
import test from 'node:test';
import { host } from '../../../../scheduler/deployments/deploy-test-kit.ts';
import { ProbeError } from '../../../../scheduler/deployments/prober.ts';
import { machineTypes } from '../../../../scheduler/machine-types.ts';
import { createFunctionServices, unguardedWarning } from '../../function-services.ts';
import { base, openFunctions } from './functions-test-kit.ts';

const absent = `dpl_${'0'.repeat(32)}`;

test('a push is seen, by its states, and where it answers', async (t) => {
  const { call, token, push, deployer, probe } = await openFunctions(t);
  const as = await token({ scope: 'write' });
  const { promise: open, resolve } = Promise.withResolvers<void>();
  probe.ensure = () => open;
  const [id] = await push('web', 'one');
  const at = `${base}/deployments/${id}`;
  const probing = await call('GET', `${at}?wait=20&from=queued`, { as });
  assert.ok(['preparing', 'probing'].includes(probing.body.state), probing.body.state);
  assert.deepEqual([probing.body.services, probing.body.current], [null, false]);
  const waits = call('GET', `${at}?wait=20`, { as });
  resolve();
  const ready = await waits;
  assert.deepEqual([ready.body.state, ready.body.current], ['ready', true]);
  assert.equal(ready.body.services[0].repository, 'acme/shop/web');
  assert.deepEqual(
    [ready.body.origin.type, ready.body.origin.service, ready.body.origin.reference],
    ['push', 'web', 'latest'],
  );
  assert.match(ready.body.url, /^http:\/\/shop-web-[a-z0-9]{9}\.fn\.test$/);
  const { body } = await call('GET', `${base}/environments`, { as });
  assert.deepEqual(
    body.items.map((one: { key: string; deployment: string }) => [one.key, one.deployment]),
    [['production', id]],
  );
  assert.deepEqual(
    new Map(
      body.items[0].urls.map((one: { service: string; url: string }) => [one.service, one.url]),
    ),
    new Map([
      [null, 'http://shop-acme.fn.test'],
      ['web', 'http://web-shop-acme.fn.test'],
    ]),
  );
  const service = await call('GET', `${base}/services/web`, { as });
  assert.deepEqual(
    [service.body.url, service.body.repository],
    ['http://web-shop-acme.fn.test', 'web'],
  );
  assert.equal((await call('GET', `${base}/hosts`, { as })).body.items.length, 3);
  await deployer.idle();
});

test('preview beside production, promote, rollback, and what comes after', async (t) => {
  const { call, token, deploy, deployer, told } = await openFunctions(t);
  const as = await token({ scope: 'write' });
  const [first] = await deploy('web', 'one');
  const [preview] = await deploy('web', 'two', ['pr-1']);
  const runs = async (key: string) =>
    (await call('GET', `${base}/environments/${key}`, { as })).body.deployment;
  assert.deepEqual([await runs('production'), await runs('preview:pr-1')], [first, preview]);
  const promoted = await call('POST', `${base}/deployments/${preview}/promote`, { as, body: {} });
  assert.equal(promoted.status, 201);
  assert.equal(promoted.body.origin.deployment, preview);
  await deployer.idle();
  assert.equal(await runs('production'), promoted.body.id);
  const ready = await call('GET', promoted.headers.get('location')!.slice('/api/v1'.length), {
    as,
  });
  const shown = await call('GET', `${base}/deployments/${preview}`, { as });
  assert.equal(ready.body.services[0].digest, shown.body.services[0].digest);
  const back = await call('POST', `${base}/environments/production/rollback`, { as, body: {} });
  assert.equal(back.body.deployment, first);
  assert.deepEqual(told.at(-1), { replaced: promoted.body.id, deleted: undefined });
  const again = await call('POST', `${base}/environments/production/rollback`, { as, body: {} });
  assert.equal(again.status, 409);
  const forward = { deployment: promoted.body.id };
  await call('POST', `${base}/environments/production/rollback`, { as, body: forward });
  assert.equal(await runs('production'), promoted.body.id);
  const other = { deployment: absent };
  assert.equal(
    (await call('POST', `${base}/environments/production/rollback`, { as, body: other })).status,
    404,
  );
  const busy = await call('DELETE', `${base}/deployments/${promoted.body.id}`, { as });
  assert.equal(busy.status, 409);
  assert.equal((await call('DELETE', `${base}/deployments/${first}`, { as })).status, 204);
  assert.equal((await call('GET', `${base}/deployments/${first}`, { as })).body.state, 'deleted');
  assert.deepEqual(told.at(-1), { replaced: undefined, deleted: first });
  assert.equal((await call('DELETE', `${base}/environments/preview:pr-1`, { as })).status, 204);
  assert.equal((await call('GET', `${base}/environments/preview:pr-1`, { as })).status, 404);
});

test('an image that is there is deployed by hand: by tag, of another repository, anew', async (t) => {
  const { call, token, deploy, deployer, metadata } = await openFunctions(t);
  const as = await token({ scope: 'write' });
  const create = async (body: object) => {
    const answer = await call('POST', `${base}/deployments`, { as, body });
    await deployer.idle();
    return answer;
  };
  assert.equal((await create({})).status, 409);
  await deploy('web', 'one', ['v1']);
  const made = await create({ service: 'web', reference: 'v1' });
  assert.equal(made.status, 201);
  const running = (await call('GET', `${base}/environments/production`, { as })).body.deployment;
  assert.equal(running, made.body.id);
  assert.equal((await create({})).status, 201);
  assert.equal((await create({ service: 'web', reference: 'none' })).status, 404);
  assert.equal((await create({ service: 'none', reference: 'v1' })).status, 404);
  assert.equal((await create({ environment: 'preview' })).status, 400);
  assert.equal((await create({ name: 'x' })).status, 400);
  assert.equal((await create({ reference: 'v1' })).status, 400);
  await deploy('tools', 'three', ['v9']);
  const elsewhere = { service: 'web', repository: 'acme/shop/tools', reference: 'v9' };
  const named = { ...elsewhere, environment: 'preview', name: 'tools' };
  const from = await create(named);
  const shown = await call('GET', `${base}/deployments/${from.body.id}`, { as });
  assert.equal(
    shown.body.services.find((one: { name: string }) => one.name === 'web').repository,
    'acme/shop/tools',
  );
  await metadata.writer.run('UpdateTeam', {
    ...{ teamId: 'team_1', functions: false, now: 1, heldUntil: 1 },
  });
  assert.equal((await create({})).status, 409);
});

test('A2: an image of another team is absent unless it is public', async (t) => {
  const { call, token, deploy, app, metadata } = await openFunctions(t);
  const as = await token({ scope: 'write' });
  await deploy('web', 'one');
  const { writer } = metadata;
  const team = { id: 'team_2', slug: 'other', name: 'Other', plan: 'pro', createdAt: 0 } as const;
  await writer.run('CreateTeam', team);
  const project = { id: 'prj_2', teamId: 'team_2', slug: 'app', settings: {}, createdAt: 0 };
  await writer.run('CreateProject', project);
  const theirs = await app.world.ensure('image', 'private', 'prj_2');
  const [row] = await metadata.manifests.newest(theirs.id, undefined, 1);
  assert.equal(row, undefined);
  const body = { service: 'web', repository: 'other/app/image', reference: 'latest' };
  const hidden = await call('POST', `${base}/deployments`, { as, body });
  const none = { ...body, repository: 'other/app/absent' };
  const missing = await call('POST', `${base}/deployments`, { as, body: none });
  assert.equal(hidden.status, 404);
  assert.equal(
    JSON.stringify(hidden.body).replaceAll('image', 'absent'),
    JSON.stringify(missing.body).replaceAll('image', 'absent'),
  );
});

test('a failure is shown with its reason, its last lines and what to do', async (t) => {
  const { call, token, deploy, deployer, probe } = await openFunctions(t);
  const as = await token({ scope: 'write' });
  probe.ensure = async () => {
    const reason = { code: 'FunctionNotStarted', message: 'm', hint: 'h', logs: ['last words'] };
    throw new ProbeError('m', reason);
  };
  const [id] = await deploy('web', 'one');
  const { body } = await call('GET', `${base}/deployments/${id}`, { as });
  assert.equal(body.state, 'failed');
  assert.deepEqual(body.reason.logs, ['last words']);
  const failed = await call('GET', `${base}/deployments?state=failed`, { as });
  assert.equal(failed.body.items.length, 1);
  const promote = await call('POST', `${base}/deployments/${id}/promote`, { as, body: {} });
  assert.equal(promote.status, 409);
  // Settings that mend it deploy it again.
  probe.ensure = async ({ service }) => {
    assert.equal(service.settings.port, 8080);
  };
  const patch = { settings: { port: 8080 } };
  const mended = await call('PATCH', `${base}/services/web`, { as, body: patch });
  assert.equal(mended.body.deployments.length, 1);
  await deployer.idle();
  const now = await call('GET', `${base}/deployments/${mended.body.deployments[0].id}`, { as });
  assert.deepEqual([now.body.state, now.body.current], ['ready', true]);
});

test('pages of deployments, newest first', async (t) => {
  const { call, token, deploy } = await openFunctions(t);
  const as = await token({ scope: 'write' });
  for (const text of ['a', 'b', 'c']) await deploy('web', text);
  const first = await call('GET', `${base}/deployments?limit=2`, { as });
  const numbers = (items: { number: number }[]) => items.map(({ number }) => number);
  assert.deepEqual(numbers(first.body.items), [3, 2]);
  const next = encodeURIComponent(first.body.next);
  const second = await call('GET', `${base}/deployments?limit=2&cursor=${next}`, { as });
  assert.deepEqual([numbers(second.body.items), second.body.next], [[1], null]);
  const strange = `${base}/deployments?environment=preview&cursor=${next}`;
  assert.equal((await call('GET', strange, { as })).status, 400);
});

test('who may set functions sees them, who may deploy promotes, others do neither', async (t) => {
  const { call, robot, deploy } = await openFunctions(t);
  const [id] = await deploy('web', 'one');
  const puller = await robot(['pull']);
  const setter = await robot(['pull', 'functions']);
  const deployer = await robot(['pull', 'deploy']);
  const status = async (as: string, method: string, path: string, body?: object) =>
    (await call(method, `${base}${path}`, { as, ...(body && { body }) })).status;
  for (const path of ['/services', '/deployments', '/environments', '/hosts', '/gantry-config']) {
    assert.equal(await status(puller, 'GET', path), 403, path);
    assert.equal(await status(setter, 'GET', path), 200, path);
    assert.equal(await status(deployer, 'GET', path), 200, path);
  }
  const settings = { settings: { port: 81 } };
  assert.equal(await status(setter, 'POST', `/deployments/${id}/promote`, {}), 403);
  assert.equal(await status(deployer, 'POST', `/deployments/${id}/promote`, {}), 201);
  assert.equal(await status(deployer, 'PATCH', '/services/web', settings), 403);
  const changed = await call('PATCH', `${base}/services/web`, { as: setter, body: settings });
  assert.deepEqual([changed.status, changed.body.deployments], [200, []]);
  // What it may not do itself, no function of it may.
  const role = { settings: { role: { actions: ['push'] } } };
  assert.equal(await status(setter, 'PATCH', '/services/web', role), 403);
  const config = { services: { web: { role: { actions: ['push'] } } } };
  assert.equal(await status(setter, 'PUT', '/gantry-config', config), 403);
  assert.equal(await status(setter, 'PUT', '/domains/shop.example.com', {}), 403);
});

test('what is kept of deployments is told, and which go next', async (t) => {
  const { call, token, deploy } = await openFunctions(t);
  const as = await token({ scope: 'write' });
  const ids: string[] = [];
  for (const text of ['one', 'two', 'three', 'four']) ids.push((await deploy('web', text))[0]!);
  const told = async () => (await call('GET', `${base}/deployment-retention`, { as })).body;
  const { due, ...rule } = await told();
  assert.deepEqual(rule, { newest: 2, keptForSeconds: 0 });
  assert.deepEqual(
    due.map((one: { id: string }) => one.id),
    ids.slice(0, 2),
  );
});

test('a host without a network guard is told of with what runs there', async (t) => {
  const { call, token, deploy, warnings } = await openFunctions(t);
  const as = await token({ scope: 'write' });
  const [id] = await deploy('web', 'one');
  const told = async () => (await call('GET', `${base}/deployments/${id}`, { as })).body.warnings;
  assert.deepEqual(await told(), []);
  warnings.push(unguardedWarning);
  assert.deepEqual(await told(), [unguardedWarning]);
  const { items } = (await call('GET', `${base}/deployments`, { as })).body;
  assert.equal(items[0].warnings[0].code, 'NO_NETWORK_GUARD');
  await deploy('web', 'two');
  await call('DELETE', `${base}/deployments/${id}`, { as });
  assert.deepEqual(await told(), [], 'it does not run');
});

test('what the host can do is asked for now and then, and an engine that hangs holds nobody up', async () => {
  let answer: () => Promise<typeof host> = async () => ({ ...host, networkGuard: false });
  let asked = 0;
  const services = () =>
    createFunctionServices({
      machines: machineTypes([]),
      capabilities: () => {
        asked++;
        return answer();
      },
    } as Partial<Parameters<typeof createFunctionServices>[0]> as never);
  const first = services();
  assert.deepEqual(await first.warnings(), [unguardedWarning]);
  assert.deepEqual(await first.warnings(), [unguardedWarning]);
  assert.equal(asked, 1);
  answer = async () => host;
  assert.deepEqual(await services().warnings(), []);
  answer = () => new Promise(() => {});
  assert.deepEqual(await services().warnings(), []);
});
