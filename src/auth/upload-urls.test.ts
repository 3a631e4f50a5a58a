import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import test from 'node:test';
import { UploadUrls } from './upload-urls.ts';

const name = 'acme/shop/web';
const id = 'upl_019a3c5e7f217b609d435f0c86a1e24b';
const day = 86_400_000;
let now = Date.UTC(2026, 10, 21);
const clock = { now: () => now };
const makeKey = (keyId: string) => ({ id: keyId, bytes: randomBytes(32) });
const key = makeKey('key_1');
const urls = new UploadUrls({ keys: [key], clock, lifetimeMs: day });

/** What a signed URL says: its path, and the state that a client sends back. */
function parts(signed: string): { path: string; state: string } {
  const url = new URL(signed, 'http://x');
  assert.deepEqual([...url.searchParams.keys()], ['_state']);
  return { path: url.pathname, state: url.searchParams.get('_state')! };
}

test('a URL is a path with its signature, and is accepted as it is', () => {
  const { path, state } = parts(urls.sign(name, id));
  assert.equal(path, `/v2/${name}/blobs/uploads/${id}`);
  assert.ok(urls.verify(name, id, state));
});

test('it is good for that name and that session only', () => {
  const { state } = parts(urls.sign(name, id));
  const others: [string, string][] = [
    ['acme/shop/other', id],
    ['acme/shop/we', `b\n${id}`],
    [`${name}\n${id}`, ''],
    [name, id.replace('b', 'c')],
    [name, ''],
    ['', id],
  ];
  for (const [otherName, otherId] of others)
    assert.ok(!urls.verify(otherName, otherId, state), `${otherName} ${otherId}`);
});

test('any other state is refused', () => {
  const { state } = parts(urls.sign(name, id));
  const [expires, signature] = state.split('.') as [string, string];
  const later = (Number.parseInt(expires, 36) + 1).toString(36);
  const states = [
    null,
    '',
    '.',
    expires,
    signature,
    `.${signature}`,
    `${expires}.`,
    `${later}.${signature}`,
    `0${expires}.${signature}`,
    `${expires.toUpperCase()}.${signature}`,
    `${expires}.${signature.slice(1)}`,
    `${expires}.${signature}A`,
    `${expires}.${signature}=`,
    `${expires}.${'A'.repeat(43)}`,
    `${expires}.${'é'.repeat(43)}`,
    `${'z'.repeat(13)}.${signature}`,
    `${state} `,
    `${state}\n`,
  ];
  for (const other of states) assert.ok(!urls.verify(name, id, other), JSON.stringify(other));
  for (let at = 0; at < signature.length; at++) {
    const letter = signature[at] === 'A' ? 'B' : 'A';
    const changed = `${signature.slice(0, at)}${letter}${signature.slice(at + 1)}`;
    assert.ok(!urls.verify(name, id, `${expires}.${changed}`), `letter ${at}`);
  }
  assert.ok(urls.verify(name, id, state));
});

test('the last letter has two bits that say nothing: they may not be other ones', () => {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const { state } = parts(urls.sign(name, id));
  const accepted = [...letters].filter((last) => urls.verify(name, id, state.slice(0, -1) + last));
  assert.deepEqual(accepted, [state.at(-1)]);
});

test('it ends with its time', () => {
  const { state } = parts(urls.sign(name, id));
  now += day - 1;
  assert.ok(urls.verify(name, id, state));
  now += 1;
  assert.ok(!urls.verify(name, id, state));
});

test('after a rotation the older key still verifies, and the newer one signs', () => {
  const old = parts(urls.sign(name, id)).state;
  const rotated = new UploadUrls({ keys: [makeKey('key_2'), key], clock, lifetimeMs: day });
  assert.ok(rotated.verify(name, id, old));
  const fresh = parts(rotated.sign(name, id)).state;
  assert.ok(rotated.verify(name, id, fresh));
  assert.ok(!urls.verify(name, id, fresh), 'signed by the new key, which this one does not know');
  const forgotten = new UploadUrls({ keys: [makeKey('key_3')], clock, lifetimeMs: day });
  assert.ok(!forgotten.verify(name, id, old));
});
