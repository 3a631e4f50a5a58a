import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import test, { type TestContext } from 'node:test';
import { RegistryError } from '../oci/errors.ts';
import type { CommandWriter } from '../ports/commands.ts';
import { type KeyPurpose, type Keys, keyPurposes, type WrappedKey } from '../ports/keys.ts';
import { openAuthKit, start } from './auth-test-kit.ts';
import { KeyRings, type KeyRingsDeps, type KeyRule } from './key-rings.ts';

const purpose = 'upload-url';

type Load = Partial<KeyRingsDeps> & {
  readonly purpose?: KeyPurpose;
  readonly generate?: KeyRule['generate'];
};
const everyRule = (rule: KeyRule) =>
  Object.fromEntries(keyPurposes.map((one) => [one, rule])) as Record<KeyPurpose, KeyRule>;

/** Loads keys from a database of its own, with one wrapping key unless another is given. */
async function openRing(t: TestContext) {
  const { metadata, clock } = await openAuthKit(t);
  const wrappingKey = randomBytes(32);
  let made = 0;
  const load = async (more: Load = {}) => {
    const { purpose: asked = purpose, generate = () => randomBytes(32), ...rest } = more;
    const rings = new KeyRings({
      ...{ keys: metadata.keys, writer: metadata.writer, wrappingKey, clock },
      newId: () => `key_${++made}`,
      rules: everyRule({ generate, leadMs: 0, lifeMs: 1000 }),
      ...rest,
    });
    return [...(await rings.open(asked))];
  };
  return { metadata, load, made: () => made };
}

/** The ring over rows that no command can make: their tag or time was changed. */
const over = (rows: WrappedKey[]): { keys: Keys; writer: CommandWriter } => ({
  keys: { list: (asked) => rows.filter((row) => row.purpose === asked) },
  writer: { run: () => assert.fail('nothing is to be written') },
});

function refusedAsForeign(error: unknown): boolean {
  assert.ok(error instanceof RegistryError, String(error));
  assert.equal(error.kind, 'invalid');
  assert.match(error.info.hint ?? '', /GANTRY_SECRET_KEY/);
  return true;
}

test('the first load makes a key, later loads find it', async (t) => {
  const { load, made } = await openRing(t);
  const [first] = await load();
  const again = await load({ generate: () => assert.fail('there is a key') });
  assert.deepEqual(again, [first]);
  assert.equal(first?.bytes.length, 32);
  assert.equal(made(), 1);
});

test('each purpose has keys of its own', async (t) => {
  const { load } = await openRing(t);
  const [upload] = await load();
  const [token] = await load({ purpose: 'registry-token', generate: () => Buffer.from('longer') });
  assert.equal(token?.bytes.toString(), 'longer');
  assert.notEqual(token?.id, upload?.id);
});

test('keys lie wrapped in the database, each differently', async (t) => {
  const { load, metadata } = await openRing(t);
  const bytes = Buffer.alloc(32, 7);
  await load({ generate: () => bytes });
  await load({ purpose: 'registry-token', generate: () => bytes });
  const [one] = await metadata.keys.list(purpose);
  const [two] = await metadata.keys.list('registry-token');
  for (const row of [one, two]) {
    const stored = Buffer.from(row!.wrapped, 'base64url');
    assert.equal(stored.length, 12 + 16 + 32);
    assert.ok(!stored.includes(bytes.subarray(0, 8)));
  }
  assert.notEqual(one?.wrapped, two?.wrapped);
});

test('another wrapping key opens nothing, and makes no key beside', async (t) => {
  const { load, metadata } = await openRing(t);
  await load();
  await assert.rejects(load({ wrappingKey: randomBytes(32) }), refusedAsForeign);
  assert.equal((await metadata.keys.list(purpose)).length, 1);
});

test('a row that was changed, cut or moved to another id opens nothing', async (t) => {
  const { load, metadata } = await openRing(t);
  await load();
  const [row] = await metadata.keys.list(purpose);
  const bytes = Buffer.from(row!.wrapped, 'base64url');
  const changed: Partial<WrappedKey>[] = [{ id: 'key_x' }];
  for (const at of [0, 12, 28, bytes.length - 1]) {
    const copy = Buffer.from(bytes);
    copy[at]! ^= 1;
    changed.push({ wrapped: copy.toString('base64url') });
  }
  for (const length of [0, 5, 12, 16, 20, 27, 28, bytes.length - 1])
    changed.push({ wrapped: bytes.subarray(0, length).toString('base64url') });
  for (const change of changed)
    await assert.rejects(load(over([{ ...row!, ...change }])), refusedAsForeign);
  assert.equal((await load(over([row!]))).length, 1);
});

/** The database's keys, some of them retired: no command does that yet. */
const retiring = (keys: Keys, retiredAt: Record<string, number>): Keys => ({
  list: async (asked) =>
    (await keys.list(asked)).map((row) => ({ ...row, retiredAt: retiredAt[row.id] })),
});
const ids = (keys: { id: string }[]) => keys.map(({ id }) => id);

test('where all keys are retired, a new one is made, once, and signs', async (t) => {
  const { load, metadata } = await openRing(t);
  await load();
  const keys = retiring(metadata.keys, { key_1: start + 1 });
  assert.deepEqual(ids(await load({ keys })), ['key_2', 'key_1']);
  assert.deepEqual(ids(await load({ keys })), ['key_2', 'key_1']);
});

test('a retired key verifies until its time, and does not sign while another can', async (t) => {
  const { load, metadata } = await openRing(t);
  await load();
  await load({ keys: retiring(metadata.keys, { key_1: start }) });
  assert.deepEqual(ids(await load()), ['key_2', 'key_1'], 'the newest first');
  // The newer one was taken back.
  const keys = retiring(metadata.keys, { key_2: start + 1 });
  assert.deepEqual(ids(await load({ keys })), ['key_1', 'key_2']);
  const later = { now: () => start + 1 };
  assert.deepEqual(ids(await load({ keys, clock: later })), ['key_1']);
});
