import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AuditRecord } from '../ports/audit.ts';
import { newId } from '../projects/ids.ts';
import { openWorld } from '../registry/registry-test-kit.ts';
import { AuditLog, type AuditLogDeps, type AuditTimes } from './audit-log.ts';

const someone = { id: 'tok_1', actor: 'ci', kind: 'token' } as const;
const nobody = { id: 'anonymous', actor: 'unknown', kind: 'anonymous' } as const;
const done = (target: string): AuditRecord => ({
  ...{ identity: someone, address: '192.0.2.1', action: 'manifest.put', target },
  ...{ teamId: 'team_1', projectId: 'prj_1', result: 'ok' },
});
const refused = (address: string): AuditRecord => ({
  ...{ identity: nobody, address, action: 'login', result: 'unauthorized', reason: 'wrong' },
});

async function openKit(
  t: { after(fn: () => unknown): void },
  change: Partial<AuditLogDeps> = {},
  times: Partial<AuditTimes> = {},
) {
  const { metadata } = await openWorld(t);
  let now = 1_760_000_000_000;
  const warnings: string[] = [];
  let dropped = 0;
  const audit = new AuditLog(
    {
      ...{ writer: metadata.writer, clock: { now: () => now }, retentionMs: 1000 },
      newId: () => newId('aud'),
      log: { warn: (message) => void warnings.push(message) },
      dropped: (count) => {
        dropped += count;
      },
      ...change,
    },
    times,
  );
  return {
    ...{ audit, metadata, warnings },
    dropped: () => dropped,
    pass(ms: number) {
      now += ms;
    },
    rows: async (team?: string) => metadata.audit.list(team, undefined, 0, 20_000),
  };
}

test('what was recorded is written soon, and all of it before the log closes', async (t) => {
  const { audit, rows, metadata, pass } = await openKit(t, {}, { flushMs: 1 });
  const committed = Promise.withResolvers<void>();
  metadata.onCommit(committed.resolve);
  audit.record(done('a'));
  await committed.promise;
  assert.equal((await rows()).length, 1);
  for (let at = 0; at < 500; at++) {
    pass(1);
    audit.record(done(`b${at}`));
  }
  await audit.close();
  const all = await rows('team_1');
  assert.equal(all.length, 501);
  assert.deepEqual(
    { ...all[0], id: '' },
    {
      ...{ id: '', at: 1_760_000_000_500, teamId: 'team_1', projectId: 'prj_1' },
      ...{ actorId: 'tok_1', actor: 'ci', actorKind: 'token', address: '192.0.2.1' },
      ...{ action: 'manifest.put', target: 'b499', result: 'ok' },
      ...{ reason: undefined, requestId: undefined },
    },
  );
  assert.deepEqual(await rows('team_2'), []);
});

test('a flood of refusals fills neither the log nor the memory, and is said', async (t) => {
  const { audit, rows, pass } = await openKit(t);
  for (let at = 0; at < 10_000; at++) audit.record(refused('198.51.100.7'));
  // From many addresses at once, too.
  for (let at = 0; at < 5_000; at++) audit.record(refused(`203.0.113.${at}`));
  audit.record(done('mine'));
  await audit.flush();
  const kept = await rows();
  const of = (address: string) => kept.filter((row) => row.address === address).length;
  assert.equal(of('198.51.100.7'), 30);
  assert.equal(kept.filter(({ action }) => action === 'login').length, 500);
  assert.ok(kept.some(({ target }) => target === 'mine'));
  const note = kept.find(({ action }) => action === 'audit.limited');
  assert.equal(note?.reason, '14500 refusals are not in the log: too many came.');
  // The one address may be heard again, and the other callers never were in its way.
  pass(60_000);
  for (let at = 0; at < 100; at++) audit.record(refused('198.51.100.7'));
  await audit.flush();
  const later = await rows();
  assert.equal(later.filter(({ address }) => address === '198.51.100.7').length, 40);
});

test('while the database takes nothing, records wait, so many and no more', async (t) => {
  let broken = true;
  const kit = await openKit(t);
  const { writer } = kit.metadata;
  const { audit, dropped, warnings, rows } = await openKit(t, {
    writer: {
      run: (name, args) => (broken ? Promise.reject(new Error('full')) : writer.run(name, args)),
    },
  });
  for (let at = 0; at < 10_100; at++) audit.record(done(`${at}`));
  assert.equal(dropped(), 100);
  await assert.rejects(audit.flush(), /full/);
  broken = false;
  await audit.close();
  const kept = await kit.rows();
  assert.equal(kept.filter(({ action }) => action === 'manifest.put').length, 10_000);
  assert.equal(kept.filter(({ action }) => action === 'audit.dropped').length, 1);
  assert.deepEqual(warnings, ['audit log']);
  assert.deepEqual(await rows(), []);
});

test('what is too old goes', async (t) => {
  const { audit, rows, pass } = await openKit(t);
  audit.record(done('old'));
  pass(600);
  audit.record(done('young'));
  await audit.flush();
  pass(500);
  await audit.prune();
  assert.deepEqual(
    (await rows()).map(({ target }) => target),
    ['young'],
  );
});
