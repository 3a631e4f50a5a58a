import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AuditRow } from '../../../ports/audit.ts';
import { openApi } from '../api-test-kit.ts';

const start = 1_760_000_000_000;
const row = (at: number, rest: Partial<AuditRow> = {}): AuditRow => ({
  ...{ id: `aud_${String(at).padStart(8, '0')}`, at: start + at * 1000 },
  ...{ teamId: 'team_1', projectId: 'prj_1', actorId: 'tok_9', actor: 'ci', actorKind: 'token' },
  ...{ address: '192.0.2.1', action: 'manifest.put', target: `acme/shop/web:v${at}` },
  ...{ result: 'ok', reason: undefined, requestId: `r${at}` },
  ...rest,
});

test('the log of a team, by page and by filter; of all for operators alone', async (t) => {
  const { app, call, token, account } = await openApi(t);
  const as = await token();
  const rows = [
    ...Array.from({ length: 7 }, (_, at) => row(at)),
    row(7, { action: 'login', actor: 'ada', actorId: 'acc_1', result: 'unauthorized' }),
    row(8, { teamId: 'team_2' }),
    row(9, { teamId: undefined }),
  ];
  await app.world.metadata.writer.run('AppendAudit', { rows });
  const targets = async (query: string, path = '/teams/acme/audit') => {
    const { status, body } = await call('GET', `${path}${query}`, { as });
    assert.equal(status, 200);
    return body.items.map(({ requestId }: { requestId: string }) => requestId);
  };
  assert.deepEqual(await targets(''), ['r7', 'r6', 'r5', 'r4', 'r3', 'r2', 'r1', 'r0']);
  assert.deepEqual(await targets('?actor=ada'), ['r7']);
  assert.deepEqual(await targets('?actor=acc_1'), ['r7']);
  assert.deepEqual(await targets('?action=login'), ['r7']);
  assert.deepEqual(await targets('?result=refused'), ['r7']);
  assert.deepEqual(await targets('?result=unauthorized'), ['r7']);
  assert.deepEqual(await targets('?result=ok&limit=2'), ['r6', 'r5']);
  const at = (seconds: number) => new Date(start + seconds * 1000).toISOString();
  assert.deepEqual(await targets(`?since=${at(2)}&until=${at(4)}`), ['r3', 'r2']);

  const seen: string[] = [];
  for (let next: string | null = ''; next !== null; ) {
    const { body } = await call('GET', `/teams/acme/audit?limit=3${next}`, { as });
    seen.push(...body.items.map(({ requestId }: { requestId: string }) => requestId));
    next = body.next === null ? null : `&cursor=${body.next}`;
  }
  assert.deepEqual(seen, ['r7', 'r6', 'r5', 'r4', 'r3', 'r2', 'r1', 'r0']);

  assert.equal((await call('GET', '/audit', { as })).status, 403);
  await account('acc_op', { operator: true });
  const operator = await token({ teamId: undefined, accountId: 'acc_op' });
  const all = await call('GET', '/audit', { as: operator });
  assert.equal(all.body.items.length, 10);
});

test('an export is JSON Lines, of a log of any length, with the same filters', async (t) => {
  const { app, token } = await openApi(t);
  const as = await token();
  const rows = Array.from({ length: 2600 }, (_, at) =>
    row(at, at % 2 === 0 ? {} : { result: 'denied' }),
  );
  await app.world.metadata.writer.run('AppendAudit', { rows });
  const answer = await app.fetch('/api/v1/teams/acme/audit/export?result=ok', {
    headers: { Authorization: `Bearer ${as}` },
  });
  assert.equal(answer.headers.get('content-type'), 'application/jsonl');
  const lines = (await answer.text()).trimEnd().split('\n');
  assert.equal(lines.length, 1300);
  assert.equal(JSON.parse(lines[0]!).requestId, 'r2598');
  assert.equal(JSON.parse(lines.at(-1)!).requestId, 'r0');
});

test('writes under /v2/ and logins are recorded, done and refused, with no secret', async (t) => {
  const { app, token } = await openApi(t);
  const secret = await token();
  const basic = (username: string, password: string) => ({
    Authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`,
  });
  const good = basic('team_1', secret);
  const ask = (method: string, path: string, headers: Record<string, string>) =>
    app.fetch(path, { method, headers, ...(method === 'PUT' && { body: '{}' }) });
  await ask('PUT', '/v2/acme/shop/web/manifests/v1', good);
  await ask('DELETE', '/v2/acme/shop/web/manifests/v1', good);
  await ask('DELETE', `/v2/acme/shop/web/manifests/sha256:${'0'.repeat(64)}`, good);
  await ask('DELETE', `/v2/acme/shop/web/blobs/sha256:${'0'.repeat(64)}`, good);
  await ask('GET', '/v2/acme/shop/web/tags/list', good);
  await ask('PUT', '/v2/acme/shop/web/manifests/v1', {});
  await ask('GET', '/token', good);
  await ask('GET', '/token', basic('team_1', 'gnt_wrong'));
  await ask('GET', '/token', basic(secret, 'swapped'));
  while (records().length < 7) await new Promise(setImmediate);
  function records() {
    return app.logged.filter(({ level }) => level === 'audit');
  }
  const short = records().map(({ action, result, target }) => `${action} ${result} ${target}`);
  assert.deepEqual(short.sort(), [
    `blob.delete blob-unknown acme/shop/web@sha256:${'0'.repeat(64)}`,
    'login ok token',
    'login unauthorized token',
    'login unauthorized token',
    `manifest.delete manifest-unknown acme/shop/web@sha256:${'0'.repeat(64)}`,
    'manifest.put unsupported-media-type acme/shop/web:v1',
    'tag.delete manifest-unknown acme/shop/web:v1',
  ]);
  const put = records().find(({ action }) => action === 'manifest.put');
  assert.deepEqual([put?.teamId, put?.projectId, put?.address], ['team_1', 'prj_1', '127.0.0.1']);
  assert.ok(!JSON.stringify(records()).includes(secret.slice(4)));
});

test("what is refused to who knows the team is in the team's log, without a pasted token", async (t) => {
  const { app, call, token } = await openApi(t);
  const reader = await token({ scope: 'read' });
  const as = await token();
  const pasted = 'gnt_abcdefghijklmnopqrstuvwxyz0123456789';
  assert.equal((await call('PATCH', '/teams/acme', { as: reader, body: {} })).status, 403);
  const project = await call('DELETE', '/teams/acme/projects/shop', { as: reader });
  assert.equal(project.status, 403);
  assert.equal((await call('DELETE', `/teams/acme/tokens/${pasted}`, { as })).status, 404);
  const records = () => app.logged.filter(({ level }) => level === 'audit');
  while (records().length < 3) await new Promise(setImmediate);
  const path = '/api/v1/teams/acme';
  assert.deepEqual(
    records().map((one) => [one.action, one.result, one.target, one.teamId, one.projectId]),
    [
      ['updateTeam', 'denied', path, 'team_1', undefined],
      ['deleteProject', 'denied', `${path}/projects/shop`, 'team_1', 'prj_1'],
      ['revokeToken', 'not-found', `${path}/tokens/gnt_…`, 'team_1', undefined],
    ],
  );
});
