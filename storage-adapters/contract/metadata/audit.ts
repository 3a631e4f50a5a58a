import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AuditRow } from '../../../src/ports/audit.ts';
import type { Metadata } from '../../../src/ports/metadata.ts';
import { now } from './fixture.ts';

const row = (id: string, at: number, teamId: string | undefined = 'team_1'): AuditRow => ({
  ...{ id, at, teamId, projectId: undefined, actorId: 'tok_1', actor: 'ci', actorKind: 'token' },
  ...{ address: undefined, action: 'login', target: undefined, result: 'ok' },
  ...{ reason: undefined, requestId: undefined },
});

/** The audit log. */
export function auditContract(
  open: (t: { after(fn: () => unknown): void }) => Promise<Metadata>,
): void {
  test('the audit log is read from its end, by team or whole, and each row is kept once', async (t) => {
    const db = await open(t);
    const full: AuditRow = {
      ...row('aud_4', now + 2),
      ...{ projectId: 'prj_1', address: '::1', target: 'x', reason: 'y', requestId: 'z' },
    };
    const rows = [
      row('aud_1', now),
      row('aud_3', now + 1),
      row('aud_2', now + 1),
      full,
      row('aud_5', now + 3, 'team_2'),
      { ...row('aud_6', now + 4), teamId: undefined },
    ];
    await db.writer.run('AppendAudit', { rows });
    await db.writer.run('AppendAudit', { rows: rows.slice(0, 2) });
    const ids = async (...args: Parameters<Metadata['audit']['list']>) =>
      (await db.audit.list(...args)).map(({ id }) => id.slice(4)).join('');
    assert.equal(await ids(undefined, undefined, 0, 10), '654321');
    assert.equal(await ids('team_1', undefined, 0, 10), '4321');
    assert.deepEqual((await db.audit.list('team_1', undefined, 0, 1))[0], full);
    // Two of one moment: a page may end between them.
    assert.equal(await ids('team_1', { at: now + 1, id: 'aud_3' }, 0, 10), '21');
    assert.equal(await ids('team_1', undefined, now + 1, 10), '432');
    assert.equal(await ids(undefined, { at: now + 4, id: '' }, now + 2, 10), '54');
    assert.equal(await ids('team_9', undefined, 0, 10), '');

    const prune = (before: number, limit: number) => db.writer.run('PruneAudit', { before, limit });
    assert.deepEqual(await prune(now + 2, 2), { more: true });
    assert.deepEqual(await prune(now + 2, 2), { more: false });
    assert.equal(await ids(undefined, undefined, 0, 10), '654');
  });
}
