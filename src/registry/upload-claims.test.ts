import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { digestOf } from '../oci/digest.ts';
import type { CommandWriter } from '../ports/commands.ts';
import { expectTurns } from './claims-test-kit.ts';
import { chunk, feed, newKey, openWorld, refused, source, subject } from './registry-test-kit.ts';
import { UploadClaims } from './upload-claims.ts';

test('while one replica takes a chunk the other is told to wait; then it goes on', async (t) => {
  const world = await openWorld(t);
  const claims = (holder: string) => new UploadClaims(world.metadata.writer, holder, 60_000);
  const a = world.blobPush({ claims: claims('a'), newUploadId: () => newKey() });
  const b = world.blobPush({ claims: claims('b') });
  await expectTurns(world, a, b);
});

test('a replica that died in the middle of a chunk takes the upload along', async (t) => {
  const world = await openWorld(t);
  const { writer } = world.metadata;
  let discarded = 0;
  const b = world.blobPush({
    claims: new UploadClaims(writer, 'b', 60_000),
    discarded: () => {
      discarded += 1;
    },
  });
  const row = await b.start(world.repository.id, subject, 'sha256');
  await writer.run('ClaimUpload', { id: row.id, holder: 'a', ttlMs: -1 });
  await refused(b.append(row, source('x'), chunk()), 'upload-unknown');
  assert.equal(await world.metadata.uploads.find(row.id), undefined);
  assert.equal(discarded, 1);
  // What the dead one would still write down is refused.
  const late = { id: row.id, repositoryId: row.repositoryId, digest: digestOf(Buffer.from('x')) };
  await refused(
    writer.run('FinishUpload', { ...late, size: 1, now: 1, holder: 'a' }),
    'upload-conflict',
  );
});

test('a claim that is let go of is not renewed on the way', async (t) => {
  const world = await openWorld(t);
  const { writer } = world.metadata;
  t.mock.timers.enable({ apis: ['setInterval'] });
  const ttlMs = 60_000;
  let renewals = 0;
  const slow: CommandWriter = {
    async run(name, args) {
      const result = await writer.run(name, args);
      if (name === 'ClaimUpload') renewals += 1;
      // Its answer takes so long that the time for the next renewal comes.
      if (name === 'AdvanceUpload') {
        t.mock.timers.tick(ttlMs / 2);
        await writer.run('ForgetKeys', { keys: [] });
      }
      return result;
    },
  };
  const a = world.blobPush({ writer: slow, claims: new UploadClaims(slow, 'a', ttlMs) });
  const b = world.blobPush({ claims: new UploadClaims(writer, 'b', ttlMs) });
  const row = await a.start(world.repository.id, subject, 'sha256');
  assert.equal(await a.append(row, source('first '), chunk()), 6);
  assert.equal(await b.append(row, source('second'), chunk()), 12);
  assert.equal(renewals, 1);
});

test('one whose claim runs out stops writing', async (t) => {
  const world = await openWorld(t);
  const { writer } = world.metadata;
  let down = false;
  const claims = new UploadClaims(
    { run: (name, args) => (down ? Promise.reject(new Error('down')) : writer.run(name, args)) },
    'a',
    300,
  );
  const a = world.blobPush({ claims });
  const row = await a.start(world.repository.id, subject, 'sha256');
  const body = new PassThrough();
  const sending = a.append(row, body, chunk());
  await feed(body, 'first');
  down = true;
  await refused(sending, 'unavailable');
});
