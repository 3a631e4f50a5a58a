import assert from 'node:assert/strict';
import test from 'node:test';
import { base, openFunctions } from './functions-test-kit.ts';

test('a service: made, changed, paused, deleted', async (t) => {
  const { call, token, metadata, app, told } = await openFunctions(t);
  const as = await token({ scope: 'write' });
  await app.world.ensure('api');
  const body = { name: 'api', repository: 'api', settings: { port: 81, env: { A: '1' } } };
  const made = await call('POST', `${base}/services`, { as, body });
  assert.equal(made.status, 201);
  assert.equal((await call('POST', `${base}/services`, { as, body })).status, 409);
  const unknown = { name: 'x', repository: 'none' };
  assert.equal((await call('POST', `${base}/services`, { as, body: unknown })).status, 404);
  const read = await call('GET', `${base}/services/api`, { as });
  assert.deepEqual([read.body.settings, read.body.repository], [body.settings, 'api']);
  const etag = read.headers.get('etag')!;
  const change = { settings: { port: null, concurrency: 5 } };
  const patch = (headers: Record<string, string>) =>
    call('PATCH', `${base}/services/api`, { as, body: change, headers });
  const changed = await patch({ 'if-match': etag });
  assert.deepEqual(changed.body.settings, { env: { A: '1' }, concurrency: 5 });
  assert.equal((await patch({ 'if-match': etag })).status, 412);
  const paused = await call('POST', `${base}/services/api/pause`, { as });
  assert.equal(paused.body.paused, true);
  assert.deepEqual(told.at(-1), { service: 'api', paused: true });
  assert.equal((await call('POST', `${base}/services/api/resume`, { as })).body.paused, false);
  const unbound = await call('PATCH', `${base}/services/api`, { as, body: { repository: null } });
  assert.equal(unbound.body.repository, null);
  assert.equal((await call('DELETE', `${base}/services/api`, { as })).status, 204);
  assert.equal((await call('GET', `${base}/services/api`, { as })).status, 404);
  assert.deepEqual(await metadata.services.list('prj_1'), []);
});

test('settings that cannot be are refused, with the closest name', async (t) => {
  const { call, token, deploy } = await openFunctions(t);
  const as = await token({ scope: 'write' });
  await deploy('web', 'one');
  const refused = async (settings: object, expected: RegExp, status = 400) => {
    const answer = await call('PATCH', `${base}/services/web`, { as, body: { settings } });
    assert.equal(answer.status, status, JSON.stringify(answer.body));
    assert.match(`${answer.body.message} ${answer.body.hint}`, expected);
  };
  await refused({ prot: 80 }, /Did you mean "port"\?/);
  await refused({ port: 70_000 }, /port/);
  await refused({ minInstances: 5, maxInstances: 2 }, /more than maxInstances/);
  await refused({ volumes: [{ name: 'd', path: '/proc' }] }, /nothing can be mounted/);
  await refused({ logSink: { type: 'http', url: 'http://169.254.169.254/' } }, /private/);
  await refused({ env: { 'A B': 'x' } }, /"settings\.env" in the body cannot have the name "A B"/);
  const { body } = await call('GET', `${base}/services/web`, { as });
  assert.deepEqual(body.settings, {});
});

test('settings hold where the service runs: production and previews are deployed anew', async (t) => {
  const { call, token, deploy, deployer } = await openFunctions(t);
  const as = await token({ scope: 'write' });
  await deploy('web', 'one', ['latest', 'pr-1']);
  await deploy('api', 'two', ['latest']);
  const patch = { settings: { port: 8080 } };
  const { body } = await call('PATCH', `${base}/services/web`, { as, body: patch });
  assert.deepEqual(
    body.deployments.map((one: { name: string }) => one.name),
    ['production', 'pr-1'],
  );
  await deployer.idle();
  const { body: listed } = await call('GET', `${base}/environments`, { as });
  const now = listed.items.map((one: { deployment: string }) => one.deployment);
  assert.deepEqual(new Set(now), new Set(body.deployments.map((one: { id: string }) => one.id)));
});

test('gantry.json: services and rewrites, made, changed, deployed; the same again changes nothing', async (t) => {
  const { call, token, deploy, deployer, metadata } = await openFunctions(t);
  const as = await token({ scope: 'write' });
  await deploy('web', 'one');
  const document = {
    services: { web: { root: 'web', caPort: 8080 }, api: { concurrency: 5 } },
    rewrites: [
      { source: '/api/(.*)', destination: { service: 'api' } },
      { source: '/(.*)', destination: { service: 'web' } },
    ],
  };
  const put = (body: object, query = '') =>
    call('PUT', `${base}/gantry-config${query}`, { as, body });
  const taken = await put(document);
  assert.deepEqual([taken.status, taken.body.changed], [200, ['web', 'api']]);
  assert.equal(taken.body.deployments.length, 1);
  await deployer.idle();
  const ready = await metadata.deployments.findById(taken.body.deployments[0].id);
  assert.deepEqual(ready?.snapshot?.rewrites, document.rewrites);
  assert.equal(ready?.snapshot?.services[0]?.settings.port, 8080);
  const same = await put(document);
  assert.deepEqual([same.body.changed, same.body.deployments], [[], []]);
  const read = await call('GET', `${base}/gantry-config`, { as });
  assert.deepEqual(read.body.services, { web: { port: 8080 }, api: { concurrency: 5 } });
  const wrong = await put({ ...document, buildCommand: 'make' });
  assert.deepEqual([wrong.status, wrong.body.code], [400, 'INVALID']);
  const vercel = await put({ ...document, buildCommand: 'make' }, '?file=vercel.json');
  assert.equal(vercel.body.warnings.length, 1);
  const nowhere = await put({ rewrites: [{ source: '/', destination: { service: 'none' } }] });
  assert.equal(nowhere.status, 400);
});

test('domains: of one project, never of the installation', async (t) => {
  const { call, token, deploy, dns, metadata, told } = await openFunctions(t);
  const as = await token({ scope: 'admin' });
  await deploy('web', 'one');
  const put = async (domain: string, body: object = {}) =>
    call('PUT', `${base}/domains/${domain}`, { as, body });
  const made = await put('shop.example.com');
  assert.deepEqual(
    [made.body.url, made.body.environment, made.body.state],
    ['http://shop.example.com', 'production', 'pending'],
  );
  const { record } = made.body;
  assert.deepEqual([record.type, record.name], ['TXT', '_gantry-challenge.shop.example.com']);
  assert.match(record.value, /^gantry-domain=[0-9a-f]{32}$/);
  assert.match(made.body.message, /no TXT record/);
  assert.equal(await metadata.deployments.findHost('shop.example.com'), undefined);
  const moved = await put('shop.example.com', { environment: 'preview', name: 'pr-1' });
  assert.deepEqual([moved.body.name, moved.body.record], ['pr-1', record]);
  const verify = () => call('POST', `${base}/domains/shop.example.com/verify`, { as });
  dns.texts.set(record.name, ['something else']);
  assert.match((await verify()).body.message, /says something else/);
  dns.texts.set(record.name, [record.value]);
  const proven = await verify();
  assert.deepEqual([proven.body.state, proven.body.message], ['verified', null]);
  assert.deepEqual(told.at(-1), { verified: true });
  const leads = await metadata.deployments.findHost('shop.example.com');
  assert.deepEqual(leads?.environment, { environment: 'preview', name: 'pr-1' });
  const trusted = await put('a.trusted.example');
  assert.deepEqual([trusted.body.state, trusted.body.record], ['verified', null]);
  const { items } = (await call('GET', `${base}/domains`, { as })).body;
  assert.deepEqual(
    items.map(({ host, state }: { host: string; state: string }) => [host, state]),
    [
      ['a.trusted.example', 'verified'],
      ['shop.example.com', 'verified'],
    ],
  );
  assert.equal((await call('POST', `${base}/domains/b.example.com/verify`, { as })).status, 404);
  for (const domain of [
    ...['registry.example.net', 'example.net', 'fn.test', 'x.fn.test', 'a.localhost', 'x.local'],
  ]) {
    assert.equal((await put(domain)).status, 409, domain);
  }
  for (const domain of ['127.0.0.1', 'UPPER.example.com', 'single', '*.example.com', 'a..b.com']) {
    assert.equal((await put(encodeURIComponent(domain))).status, 400, domain);
  }
  assert.equal((await call('DELETE', `${base}/domains/shop.example.com`, { as })).status, 204);
  assert.equal((await call('DELETE', `${base}/domains/shop.example.com`, { as })).status, 404);
});

test('switches: of the team, of the project, and what only an operator opens', async (t) => {
  const { call, token, account, push } = await openFunctions(t);
  const as = await token({ scope: 'admin' });
  const project = async (functions: object, by = as) =>
    call('PATCH', base, { as: by, body: { settings: { functions } } });
  const off = await project({ enabled: false });
  assert.equal(off.body.settings.functions.enabled, false);
  assert.deepEqual(await push('web', 'one'), []);
  const tagged = await project({ enabled: true, productionTag: 'live' });
  assert.deepEqual(tagged.body.settings.functions, {
    ...{ enabled: true, autoDeploy: true, productionTag: 'live', network: 'public' },
  });
  assert.equal((await project({ network: 'open' })).status, 403);
  await account('acc_op', { operator: true, role: 'admin' });
  const operator = await token({ teamId: undefined, accountId: 'acc_op', scope: 'admin' });
  assert.equal(
    (await project({ network: 'open' }, operator)).body.settings.functions.network,
    'open',
  );
  assert.equal((await project({ productionTag: 'latest' })).status, 200);
  const team = await call('PATCH', '/teams/acme', { as, body: { functions: false } });
  assert.equal(team.body.functions, false);
  assert.deepEqual(await push('web', 'two'), []);
});
