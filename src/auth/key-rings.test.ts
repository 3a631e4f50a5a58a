import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import test, { type TestContext } from 'node:test';
import { RegistryError } from '../oci/errors.ts';
import { openAuthKit, start } from './auth-test-kit.ts';
import { KeyKeeper, keyRules } from './installation-keys.ts';
import { type KeyRing, KeyRings } from './key-rings.ts';
import { RegistryTokens } from './registry-tokens.ts';
import { Sealer } from './sealer.ts';

const minute = 60_000;
const day = 86_400_000;
const settings = { tokenTtl: 5 * minute, uploadExpiry: day };

async function setUp(t: TestContext) {
  const kit = await openAuthKit(t);
  const wrappingKey = randomBytes(32);
  let made = 0;
  /** What one process knows. */
  const process = () =>
    new KeyRings({
      ...{ keys: kit.metadata.keys, writer: kit.metadata.writer, wrappingKey, clock: kit.clock },
      newId: () => `key_${++made}`,
      rules: keyRules(settings),
    });
  return { ...kit, process };
}
const ids = (ring: KeyRing) => [...ring].map(({ id }) => id);

test('a new key signs once every process has heard of it; the old one verifies what it signed', async (t) => {
  const { process, pass, clock } = await setUp(t);
  const [here, there] = [process(), process()];
  const ring = await here.open('registry-token');
  const other = await there.open('registry-token');
  assert.deepEqual(ids(ring), ['key_1']);
  const rotation = await here.rotate('registry-token');
  assert.deepEqual(rotation, {
    purpose: 'registry-token',
    id: 'key_2',
    signsAt: start + minute,
    retiredAt: start + minute + 5 * minute + day + 5 * minute,
  });
  assert.deepEqual(ids(ring), ['key_1', 'key_2'], 'known, and not signing');
  assert.deepEqual(ids(other), ['key_1'], 'the other process has not looked');
  await there.reload();
  assert.deepEqual(ids(other), ['key_1', 'key_2']);
  pass(minute);
  assert.deepEqual(ids(other), ['key_2', 'key_1']);
  pass(rotation.retiredAt! - clock.now());
  assert.deepEqual(ids(other), ['key_2']);
  await here.rotate('registry-token');
  await here.reload();
  assert.deepEqual(ids(ring), ['key_2', 'key_3'], 'the row of the first is gone');
});

test('at once: what the old key signed is good for nothing, whatever was cached', async (t) => {
  const { process, clock, metadata } = await setUp(t);
  const rings = process();
  const ring = await rings.open('registry-token');
  const tokens = new RegistryTokens({ keys: ring, clock, ttlSeconds: 300 });
  const { token } = await tokens.sign(undefined, []);
  assert.ok(await tokens.verify(token));
  const epoch = await metadata.tokens.epoch();
  await rings.rotate('registry-token', { now: true });
  assert.deepEqual(ids(ring), ['key_2']);
  assert.equal(await tokens.verify(token), undefined);
  assert.notEqual(await metadata.tokens.epoch(), epoch);
  assert.ok(await tokens.verify((await tokens.sign(undefined, [])).token));
});

test('what was sealed opens for ever, and its keys cannot be taken away', async (t) => {
  const { process, pass } = await setUp(t);
  const rings = process();
  const sealer = new Sealer(await rings.open('sealing'));
  const before = sealer.seal('text', 'place');
  await rings.rotate('sealing');
  pass(1000 * day);
  const after = sealer.seal('text', 'place');
  assert.match(before, /^key_1\./);
  assert.match(after, /^key_2\./);
  for (const sealed of [before, after]) assert.equal(sealer.unseal(sealed, 'place'), 'text');
  await assert.rejects(
    rings.rotate('sealing', { now: true }),
    (error) => error instanceof RegistryError && error.kind === 'invalid',
  );
});

test('the issuer has no key until one is asked for, and then one', async (t) => {
  const { process } = await setUp(t);
  const ring = await process().open('issuer', { later: true });
  assert.deepEqual(ids(ring), []);
  await Promise.all([ring.ensure(), ring.ensure(), ring.ensure()]);
  assert.deepEqual(ids(ring), ['key_1']);
});

test("the issuer's key is rotated when it is old, published a day before it signs", async (t) => {
  const { process, pass, clock, metadata } = await setUp(t);
  const rings = process();
  const ring = await rings.open('issuer');
  const lines: string[] = [];
  const log = {
    info: (text: string) => lines.push(text),
    warn: (text: string) => lines.push(text),
  };
  const keeper = new KeyKeeper({ rings, clock, log, rotateAfterMs: 90 * day });
  t.after(() => keeper.close());
  await keeper.look();
  pass(89 * day);
  await keeper.look();
  assert.deepEqual(ids(ring), ['key_1']);
  pass(day);
  await keeper.look();
  await keeper.look();
  assert.deepEqual(lines, ['the key of the OIDC issuer was rotated']);
  assert.deepEqual(ids(ring), ['key_1', 'key_2']);
  pass(day);
  assert.deepEqual(ids(ring), ['key_2', 'key_1']);
  pass(65 * minute);
  assert.deepEqual(ids(ring), ['key_2']);
  assert.equal((await metadata.keys.list('issuer')).length, 2);
});

test('two that rotate at once: one does', async (t) => {
  const { process, metadata } = await setUp(t);
  const rings = process();
  await rings.open('cursor');
  const results = await Promise.allSettled([rings.rotate('cursor'), process().rotate('cursor')]);
  const refused = results.filter(({ status }) => status === 'rejected');
  assert.equal(refused.length + (await metadata.keys.list('cursor')).length, 3);
});
