import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { openReceiver, type Received } from '../../../events/webhook-test-kit.ts';
import { openApi } from '../api-test-kit.ts';

const path = '/teams/acme/webhooks';

test('a webhook is made, changed, listed and removed; its secret is shown once', async (t) => {
  const { call, token } = await openApi(t);
  const as = await token();
  const body = { name: 'ci', url: 'https://hooks.example.com/in', types: ['tag.moved'] };
  const made = await call('POST', path, { as, body: { ...body, project: 'shop' } });
  assert.equal(made.status, 201);
  assert.match(made.body.secret, /^whsec_[A-Za-z0-9+/]{43}=$/);
  const one = `${path}/${made.body.id}`;
  assert.equal(made.headers.get('location'), `/api/v1${one}`);
  const { secret, ...shown } = made.body;
  const got = await call('GET', one, { as });
  assert.deepEqual(got.body, shown);
  assert.deepEqual([shown.project, shown.types, shown.enabled], ['shop', ['tag.moved'], true]);
  assert.deepEqual((await call('GET', path, { as })).body, { items: [shown], next: null });

  const change = { project: null, types: null, enabled: false, name: 'other' };
  const stale = { headers: { 'If-Match': '"stale"' } };
  assert.equal((await call('PATCH', one, { as, body: change, ...stale })).status, 412);
  const changed = await call('PATCH', one, { as, body: change });
  assert.deepEqual({ ...changed.body, updatedAt: 0 }, { ...shown, ...change, updatedAt: 0 });
  assert.equal((await call('DELETE', one, { as })).status, 204);
  assert.equal((await call('GET', one, { as })).status, 404);
  assert.deepEqual((await call('GET', path, { as })).body.items, []);
});

test('what cannot be is refused, and nothing is made', async (t) => {
  const { call, token } = await openApi(t);
  const as = await token();
  const good = { name: 'ci', url: 'https://hooks.example.com/' };
  const bad: [unknown, number][] = [
    [{ ...good, url: 'http://hooks.example.com/' }, 400],
    [{ ...good, url: 'not a url' }, 400],
    [{ ...good, url: 'https://user:pass@hooks.example.com/' }, 400],
    [{ ...good, project: 'absent' }, 400],
    [{ ...good, types: ['nothing'] }, 400],
    [{ ...good, types: [] }, 400],
    [{ ...good, secret: 'whsec_c2hvcnQ=' }, 400],
    [{ ...good, more: 1 }, 400],
    [{ name: 'ci' }, 400],
  ];
  for (const [body, status] of bad) {
    assert.equal((await call('POST', path, { as, body })).status, status, JSON.stringify(body));
  }
  assert.deepEqual((await call('GET', path, { as })).body.items, []);
  assert.equal((await call('POST', path, { as, body: good })).status, 201);
  assert.equal((await call('POST', path, { as, body: good })).status, 409);
  for (let at = 1; at < 50; at++) {
    await call('POST', path, { as, body: { ...good, name: `n${at}` } });
  }
  assert.equal((await call('POST', path, { as, body: { ...good, name: 'over' } })).status, 403);
});

test('the test button sends one signed message and says what came of it', async (t) => {
  const { call, token } = await openApi(t);
  const receiver = await openReceiver(t);
  const as = await token();
  const body = { name: 'ci', url: receiver.url, enabled: false };
  const made = await call('POST', path, { as, body });
  const one = `${path}/${made.body.id}`;
  const good = await call('POST', `${one}/test`, { as });
  assert.equal(good.status, 200);
  assert.deepEqual([good.body.delivered, good.body.status], [true, 204]);
  const [message] = receiver.received;
  assert.equal(JSON.parse(message!.body).type, 'webhook.test');
  verify(made.body.secret, message!);

  const rotated = await call('POST', `${one}/rotate-secret`, { as, body: {} });
  assert.notEqual(rotated.body.secret, made.body.secret);
  receiver.answer = () => ({ status: 500, body: 'no' });
  const refused = await call('POST', `${one}/test`, { as });
  assert.deepEqual(
    [refused.body.delivered, refused.body.status, refused.body.response],
    [false, 500, 'no'],
  );
  for (const { secret } of [made.body, rotated.body]) verify(secret, receiver.received[1]!);
  await receiver.close();
  const gone = await call('POST', `${one}/test`, { as });
  assert.deepEqual([gone.status, gone.body.delivered, gone.body.status], [200, false, null]);
});

test('the log shows each attempt, and an event can be sent again', async (t) => {
  const { app, call, token } = await openApi(t);
  const receiver = await openReceiver(t);
  const as = await token();
  // What happened before is published before.
  while (!(await app.world.metadata.outbox.isEmpty())) await new Promise(setImmediate);
  const made = await call('POST', path, { as, body: { name: 'ci', url: receiver.url } });
  const log = `${path}/${made.body.id}/deliveries`;
  await app.world.ensure('made');
  await receiver.count(1);
  const [message] = receiver.received;
  verify(made.body.secret, message!);
  const delivered = async (count: number) => {
    for (;;) {
      const { body } = await call('GET', `${log}?state=delivered`, { as });
      if (body.items.length === count) return body.items;
    }
  };
  const [first] = await delivered(1);
  const details = await call('GET', `${log}/${first.id}`, { as });
  assert.deepEqual(details.body.event, JSON.parse(message!.body));
  assert.deepEqual(
    details.body.log.map((one: { status: number }) => one.status),
    [204],
  );
  const again = await call('POST', `${log}/${first.id}/redeliver`, { as });
  assert.equal(again.status, 201);
  await receiver.count(2);
  assert.equal(receiver.received[1]!.body, message!.body);
  assert.equal((await delivered(2)).length, 2);
  assert.deepEqual((await call('GET', `${log}?state=dead`, { as })).body.items, []);
  const other = await call('POST', path, { as, body: { name: 'o', url: receiver.url } });
  const foreign = `${path}/${other.body.id}/deliveries/${first.id}`;
  assert.equal((await call('GET', foreign, { as })).status, 404);
});

test('only who manages the team has to do with its webhooks', async (t) => {
  const { call, robot } = await openApi(t);
  const as = await robot(['pull', 'create', 'push', 'delete', 'deploy', 'functions']);
  assert.equal((await call('GET', path, { as })).status, 403);
  const narrowed = await robot(['pull', 'manage'], ['prj_1']);
  assert.equal((await call('GET', path, { as: narrowed })).status, 403);
});

const check = `
import base64, hashlib, hmac, json, sys
m = json.load(sys.stdin)
key = base64.b64decode(m["secret"].removeprefix("whsec_"))
signed = f'{m["id"]}.{m["timestamp"]}.{m["body"]}'.encode()
good = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
sys.exit(0 if any(hmac.compare_digest("v1," + good, one) for one in m["signature"].split()) else 1)
`;

/** By Python's own hmac, as the Standard Webhooks specification says it. */
function verify(secret: string, { headers, body }: Received): void {
  execFileSync('python3', ['-c', check], {
    input: JSON.stringify({
      ...{ secret, body, id: headers['webhook-id'], timestamp: headers['webhook-timestamp'] },
      signature: headers['webhook-signature'],
    }),
  });
}
