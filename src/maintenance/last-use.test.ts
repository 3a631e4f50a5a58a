import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { openAuthKit, start } from '../auth/auth-test-kit.ts';
import { refuse } from '../oci/errors.ts';
import { LastUse, type Use } from './last-use.ts';

const never = 2 ** 30;

type Write = (uses: readonly Use[]) => Promise<unknown>;

async function open(t: TestContext, change: (real: Write) => Write = (real) => real) {
  const kit = await openAuthKit(t);
  const { id } = await kit.token({ teamId: (await kit.team()).id });
  const lastUse = new LastUse({
    write: change((uses) => kit.metadata.writer.run('TouchTokens', { uses })),
    clock: kit.clock,
    everyMs: never,
  });
  t.after(() => lastUse.close());
  const lastUsedAt = async () => (await kit.metadata.tokens.findById(id))?.lastUsedAt;
  return { kit, id, lastUse, lastUsedAt };
}

test('uses are written in one go, the last of each token', async (t) => {
  const { kit, id, lastUse, lastUsedAt } = await open(t);
  lastUse.note(id);
  kit.pass(5);
  lastUse.note(id);
  lastUse.note('tok_gone');
  assert.equal(await lastUsedAt(), undefined, 'a login waits for no write');
  await lastUse.flush();
  assert.equal(await lastUsedAt(), start + 5);
});

test('what is left is written at the end', async (t) => {
  const { id, lastUse, lastUsedAt } = await open(t);
  lastUse.note(id);
  await lastUse.close();
  assert.equal(await lastUsedAt(), start);
});

test('nothing used, nothing written', async (t) => {
  const { lastUse } = await open(t, () => () => assert.fail('there is nothing'));
  await lastUse.flush();
});

test('where the database cannot be written, uses wait for the next time', async (t) => {
  let down = true;
  const { kit, id, lastUse, lastUsedAt } = await open(
    t,
    (real) => (uses) => (down ? Promise.reject(refuse('unavailable', 'down')) : real(uses)),
  );
  lastUse.note(id);
  await assert.rejects(lastUse.flush(), { kind: 'unavailable' });
  const failing = lastUse.flush();
  kit.pass(1);
  lastUse.note(id);
  await assert.rejects(failing);
  down = false;
  await lastUse.flush();
  assert.equal(await lastUsedAt(), start + 1, 'the later use is not overwritten');
});
