import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isWebhookSecret, newWebhookSecret, signedHeaders } from './webhook-secrets.ts';

test("the Standard Webhooks project's own example has the signature that it gives", () => {
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
  const message = {
    id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    body: '{"test": 2432232314}',
    now: 1614265330_123,
  };
  assert.deepEqual(signedHeaders({ secret }, message), {
    'webhook-id': message.id,
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  });
});

test('after a rotation both secrets sign, until the one before runs out', () => {
  const [secret, before] = [newWebhookSecret(), newWebhookSecret()];
  const keys = { secret, previous: { secret: before, until: 2000 } };
  const signature = (of: typeof keys | { secret: string }, now: number) =>
    signedHeaders(of, { id: 'm', body: '{}', now })['webhook-signature'];
  assert.equal(
    signature(keys, 1999),
    `${signature({ secret }, 1999)} ${signature({ secret: before }, 1999)}`,
  );
  assert.equal(signature(keys, 2000), signature({ secret }, 2000));
});

test('secrets have 24 to 64 bytes in base64', () => {
  const of = (bytes: number) => `whsec_${Buffer.alloc(bytes, 1).toString('base64')}`;
  for (const good of [newWebhookSecret(), of(24), of(64)]) assert.ok(isWebhookSecret(good), good);
  const bad = [of(23), of(65), 'whsec_', 'secret', of(24).slice(6), `${of(24)}=`, `${of(32)}\n`];
  for (const text of bad) assert.ok(!isWebhookSecret(text), text);
});
