import assert from 'node:assert/strict';
import test from 'node:test';
import { RegistryError } from '../../oci/errors.ts';
import { ActivationError } from '../activation.ts';
import { type Asked, openInvokeWorld, start } from './invoke-test-kit.ts';

const call = (payload: string, more: object = {}) => ({
  ...{ payload: Buffer.from(payload), contentType: 'application/json', method: 'POST', path: '/' },
  ...{ address: '192.0.2.7', mostBytes: 100, signal: new AbortController().signal, ...more },
});

test('a service that is not there, not ready, failed, paused: what is the matter', async (t) => {
  const { invoker, place, deploy, writer } = await openInvokeWorld(t);
  const refused = (kind: string, text: RegExp) =>
    assert.rejects(invoker.targetOf(place), (error) => {
      assert.ok(error instanceof RegistryError);
      assert.equal(error.kind, kind);
      assert.match(error.message, text);
      return true;
    });
  await refused('not-found', /no such service/);
  const activate = await deploy({ kind: 'event' });
  await refused('conflict', /not ready in production: pending/);
  await activate();
  assert.equal((await invoker.targetOf(place)).deploymentId, 'dpl_1');
  await writer.run('UpdateService', { id: 'svc_1', paused: true, actor: 'ada', now: start });
  await refused('conflict', /is paused/);
});

test('an event function: POST /invoke with the payload and the documented headers', async (t) => {
  const { invoker, place, deploy, asked, answering, ends, leases } = await openInvokeWorld(t);
  await (await deploy({ contract: 'function-compute', kind: 'event' }))();
  const target = await invoker.targetOf(place);
  const answer = await invoker.invoke(target, call('{"a":1}', { method: 'GET', path: '/x' }));
  const [{ method, url, body, headers }] = asked as [Asked];
  assert.deepEqual([method, url, body], ['POST', '/invoke', '{"a":1}']);
  assert.equal(headers['x-fc-control-path'], '/invoke');
  assert.equal(headers['x-fc-security-token'], 'token');
  assert.equal(headers['content-type'], 'application/json');
  assert.deepEqual(
    [answer.status, String(answer.body), answer.functionError],
    [200, 'done', false],
  );
  answering(() => ({ headers: { 'x-fc-status': '404' }, body: 'it broke' }));
  const failed = await invoker.invoke(target, call('x'));
  assert.equal(failed.functionError, true);
  assert.equal(String(failed.body), 'it broke');
  assert.equal(leases(), 0);
  assert.deepEqual(
    ends.map(({ requestId, status }) => `${requestId} ${status}`),
    ['req_1 200', 'req_2 200'],
  );
});

test('an HTTP function is asked as it is; a long answer is cut', async (t) => {
  const { invoker, place, deploy, asked, answering, leases } = await openInvokeWorld(t);
  await (await deploy({}))();
  const target = await invoker.targetOf(place);
  answering(() => ({ status: 201, headers: { 'x-own': 'a' }, body: 'y'.repeat(500) }));
  const answer = await invoker.invoke(target, call('p', { method: 'PUT', path: '/a?b=c' }));
  assert.deepEqual([asked[0]!.method, asked[0]!.url, asked[0]!.body], ['PUT', '/a?b=c', 'p']);
  assert.deepEqual([answer.status, answer.body.length, answer.truncated], [201, 100, true]);
  assert.equal(answer.headers['x-own'], 'a');
  assert.equal(leases(), 0);
});

test('no place for it, or a caller that is gone: the lease is given back all the same', async (t) => {
  const { invoker, place, deploy, refusing, answering, leases, ends } = await openInvokeWorld(t);
  await (await deploy({}))();
  const target = await invoker.targetOf(place);
  refusing(new ActivationError({ status: 429, code: 'FULL', message: 'full', hint: '' }));
  await assert.rejects(invoker.invoke(target, call('x')), ActivationError);
  refusing(undefined);
  const gone = new AbortController();
  answering(() => {
    gone.abort();
    return {};
  });
  await assert.rejects(invoker.invoke(target, call('x', { signal: gone.signal })));
  assert.equal(leases(), 0);
  assert.deepEqual(
    ends.map(({ status }) => status),
    [429, 499],
  );
});

test('calls that nobody waits for: run, tried again with growing waits, given up', async (t) => {
  const { deploy, queued, newQueue, settled, answering, asked, pass } = await openInvokeWorld(t);
  await (await deploy({ kind: 'event' }))();
  const queue = newQueue();
  t.after(() => queue.close());
  queue.start();
  await queued('inv_1', 'good');
  queue.wake();
  const done = await settled('inv_1', ({ state }) => state === 'succeeded');
  assert.equal(Buffer.from(done.result!.body, 'base64').toString(), 'done');
  assert.equal(asked[0]!.body, 'good');

  answering(() => ({ status: 500, body: 'a long story of what broke' }));
  await queued('inv_2');
  queue.wake();
  const once = await settled(
    'inv_2',
    ({ state, attempts }) => state === 'queued' && attempts === 1,
  );
  assert.equal(once.runAt, start + 1000);
  assert.match(once.error!, /error: 500/);
  pass(1000);
  const twice = await settled(
    'inv_2',
    ({ attempts, state }) => attempts === 2 && state === 'queued',
  );
  assert.equal(twice.runAt, start + 3000);
  pass(2000);
  const over = await settled('inv_2', ({ state }) => state === 'failed');
  assert.equal(over.attempts, 3);
  assert.equal(over.result!.truncated, true);
  assert.equal(Buffer.from(over.result!.body, 'base64').toString(), 'a long s');
});

test('what ran when the server died runs again at the next start, once', async (t) => {
  const { deploy, queued, newQueue, settled, writer, asked } = await openInvokeWorld(t);
  await (await deploy({ kind: 'event' }))();
  await queued('inv_1');
  await writer.run('ClaimInvocations', { now: start, leaseUntil: start + 60_000, limit: 1 });
  const queue = newQueue();
  t.after(() => queue.close());
  queue.start();
  const done = await settled('inv_1', ({ state }) => state === 'succeeded');
  assert.equal(done.attempts, 2);
  assert.equal(asked.length, 1);
});

test('one that is broken off by the end of the server is not counted as failed', async (t) => {
  const { deploy, queued, newQueue, settled, answering, metadata, pass } = await openInvokeWorld(t);
  await (await deploy({ kind: 'event' }))();
  const first = newQueue();
  let arrived = () => {};
  const came = new Promise<void>((resolve) => {
    arrived = resolve;
  });
  answering(() => {
    arrived();
    void first.close();
    return { body: 'too late' };
  });
  await queued('inv_1');
  first.start();
  await came;
  await first.close();
  assert.equal((await metadata.invocations.find('prj_1', 'inv_1'))!.state, 'running');
  answering(() => ({ body: 'again' }));
  pass(1);
  const second = newQueue();
  t.after(() => second.close());
  second.start();
  await settled('inv_1', ({ state }) => state === 'succeeded');
});
