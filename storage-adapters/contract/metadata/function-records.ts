import assert from 'node:assert/strict';
import { test } from 'node:test';
import type {
  ColdStart,
  FunctionLogLine,
  MeteringEvent,
  RequestRecord,
} from '../../../src/ports/commands-functions.ts';
import {
  dayOf,
  firstIdAt,
  type Prices,
  type RecordPlace,
  type RecordScope,
} from '../../../src/ports/function-records.ts';
import type { Metadata } from '../../../src/ports/metadata.ts';
import { addBlob, digest, now, populate } from './fixture.ts';

const place = { projectId: 'prj_1', deploymentId: 'dpl_1', service: 'web' };
const end: RecordPlace = { before: undefined };
const day = 86_400_000;

/** An id of that moment; the last digits tell those of one moment apart. */
const id = (prefix: string, at: number, last: number): string =>
  `${firstIdAt(prefix, at)}${String(last).padStart(20, '0')}`;

const line = (at: number, last: number, more: Partial<FunctionLogLine> = {}): FunctionLogLine => ({
  ...{ ...place, id: id('log', at, last), instanceId: 'ins_1', at, stream: 'stdout' },
  ...{ text: `line ${last}`, requestIds: [] },
  ...more,
});
const request = (at: number, last: number, more: Partial<RequestRecord> = {}): RequestRecord => ({
  ...{ ...place, id: id('req', at, last), instanceId: 'ins_1', at, method: 'GET', host: 'h' },
  ...{
    path: '/',
    status: 200,
    error: undefined,
    cold: false,
    queueMs: 1,
    firstByteMs: 2,
    totalMs: 3,
  },
  ...{ requestBytes: 4, responseBytes: 5 },
  ...more,
});
const start = (at: number, instanceId: string, more: Partial<ColdStart> = {}): ColdStart => ({
  ...{ ...place, instanceId, at, digest: digest('i'), from: 'image', queueMs: 1, pullMs: 0 },
  ...{ createMs: 20, bootMs: 100, appMs: undefined, error: undefined },
  ...more,
});
const used = (at: number, last: number, more: Partial<MeteringEvent> = {}): MeteringEvent => ({
  ...{ ...place, id: id('mtr', at, last), instanceId: 'ins_1', from: at, to: at + 1000 },
  ...{ kind: 'run', activeCpuMs: 10, memoryMbMs: 512_000, invocations: 1 },
  ...more,
});

/** What is undefined is not kept. */
const kept = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

const prices: Prices = {
  ...{ currency: 'USD', activeCpuHour: 1, memoryGbHour: 2, millionInvocations: 3 },
  ...{ pullGbHour: 4, storageGbMonth: 5 },
};

/** What functions did. */
export function functionRecordsContract(
  open: (t: { after(fn: () => unknown): void }) => Promise<Metadata>,
): void {
  const append = (
    db: Metadata,
    rows: { lines?: FunctionLogLine[]; requests?: RequestRecord[]; coldStarts?: ColdStart[] },
  ) => db.writer.run('AppendFunctionLogs', { lines: [], requests: [], coldStarts: [], ...rows });
  const prune = (
    db: Metadata,
    args: { before?: number; keep?: number; usageBefore?: number; limit?: number },
  ) =>
    db.writer.run('PruneFunctionLogs', {
      ...{ before: 0, keep: 1000, usageBefore: 0, limit: 100 },
      ...args,
    });

  test('lines of functions: by scope, both ways, each once', async (t) => {
    const db = await open(t);
    const of = (at: number, n: number, instanceId: string, service: string, deploymentId: string) =>
      line(at, n, { instanceId, service, deploymentId });
    const lines = [
      of(now, 1, 'ins_1', 'web', 'dpl_1'),
      of(now, 2, 'ins_2', 'api', 'dpl_1'),
      of(now + 1, 3, 'ins_3', 'web', 'dpl_2'),
      { ...of(now + 2, 4, 'ins_1', 'web', 'dpl_1'), stream: 'system' as const, text: '' },
      { ...of(now + 3, 5, 'ins_9', 'web', 'dpl_9'), projectId: 'prj_2' },
    ];
    await append(db, { lines });
    await append(db, { lines: lines.slice(1, 3) });
    const found = async (scope: Partial<RecordScope>, at: RecordPlace = end, limit = 10) =>
      (await db.functionRecords.lines({ projectId: 'prj_1', ...scope }, at, limit))
        .map((row) => Number(row.id.slice(-1)))
        .join('');
    assert.equal(await found({}), '4321');
    assert.deepEqual(await db.functionRecords.lines(place, end, 1), [lines[3]]);
    assert.equal(await found({}, { before: lines[2]!.id }), '21');
    assert.equal(await found({}, { after: '' }), '1234');
    assert.equal(await found({}, { after: lines[1]!.id }, 1), '3');
    assert.equal(await found({ service: 'web' }), '431');
    assert.equal(await found({ service: 'web' }, { after: lines[0]!.id }), '34');
    assert.equal(await found({ deploymentId: 'dpl_1' }), '421');
    assert.equal(await found({ deploymentId: 'dpl_1', service: 'web' }), '41');
    assert.equal(await found({ instanceId: 'ins_1' }), '41');
    assert.equal(await found({ instanceId: 'ins_1', service: 'api' }), '');
    // What is another project's is not found by its ids.
    assert.equal(await found({ instanceId: 'ins_9' }), '');
    assert.equal(await found({ deploymentId: 'dpl_9' }), '');
    assert.equal(await found({ projectId: 'prj_2' }), '5');
  });

  test('requests of functions, and the lines of one of them', async (t) => {
    const db = await open(t);
    const requests = [
      request(now, 1, { cold: true, totalMs: 50 }),
      request(now + 10, 2, { instanceId: 'ins_2' }),
      request(now + 20, 3, { error: 'queue full', status: 503, instanceId: undefined }),
      request(now + 30, 4, { projectId: 'prj_2' }),
    ];
    const [one, two, three, foreign] = requests.map((row) => row.id) as [
      ...[string, string, string, string],
    ];
    await append(db, { requests });
    await append(db, { requests });
    const found = async (scope: Partial<RecordScope>, before?: string) =>
      (await db.functionRecords.requests({ projectId: 'prj_1', ...scope }, before, 10)).map(
        (row) => row.id,
      );
    assert.deepEqual(await found({}), [three, two, one]);
    assert.deepEqual(await found({}, three), [two, one]);
    assert.deepEqual(await found({ instanceId: 'ins_2' }), [two]);
    assert.deepEqual(await found({ service: 'web', deploymentId: 'dpl_1' }), [three, two, one]);
    assert.deepEqual(await found({ service: 'api' }), []);
    assert.deepEqual(await db.functionRecords.request('prj_1', one), kept(requests[0]));
    assert.equal(await db.functionRecords.request('prj_1', foreign), undefined);
    assert.equal(await db.functionRecords.request('prj_1', 'req_none'), undefined);

    await append(db, {
      lines: [
        line(now - 1, 1),
        line(now + 11, 2, { requestIds: [one] }),
        line(now + 12, 3, { requestIds: [two, one], instanceId: 'ins_1' }),
        line(now + 13, 4, { requestIds: [two], instanceId: 'ins_2' }),
        line(now + 14, 5, { requestIds: ['req_7'], instanceId: 'ins_7' }),
      ],
    });
    const texts = async (requestId: string, at: RecordPlace = { after: '' }) =>
      (await db.functionRecords.lines({ projectId: 'prj_1', requestId }, at, 10)).map(
        (row) => row.text,
      );
    assert.deepEqual(await texts(one), ['line 2', 'line 3']);
    assert.deepEqual(await texts(one, end), ['line 3', 'line 2']);
    assert.deepEqual(await texts(two), ['line 4']);
    // Still under way, so not written yet.
    assert.deepEqual(await texts('req_7'), ['line 5']);
    assert.deepEqual(await texts('req_8'), []);
  });

  test('cold starts, newest first, by time and instance', async (t) => {
    const db = await open(t);
    const starts = [
      start(now, 'ins_1'),
      start(now + 5, 'ins_2', { from: 'frozen', appMs: 7, service: 'api' }),
      start(now + 5, 'ins_1', { error: 'nothing listens' }),
      start(now + 9, 'ins_4', { projectId: 'prj_2' }),
    ];
    await append(db, { coldStarts: starts });
    await append(db, { coldStarts: starts });
    const { coldStarts } = db.functionRecords;
    assert.deepEqual(
      await coldStarts({ projectId: 'prj_1' }, undefined, 10),
      kept([...[starts[1], starts[2], starts[0]]]),
    );
    assert.deepEqual(
      await coldStarts({ projectId: 'prj_1' }, { at: now + 5, instanceId: 'ins_2' }, 1),
      kept([starts[2]]),
    );
    assert.deepEqual(
      await coldStarts({ projectId: 'prj_1', service: 'api' }, undefined, 10),
      kept([starts[1]]),
    );
    const later = await coldStarts({ projectId: 'prj_1', since: now + 5 }, undefined, 10);
    assert.equal(later.length, 2);
  });

  test('what was used adds up by day, service and kind, past 2^53, and is listed in that order', async (t) => {
    const db = await open(t);
    const midnight = Date.UTC(2026, 10, 21);
    const most = Number.MAX_SAFE_INTEGER;
    const events = [
      used(midnight - 1, 1),
      used(midnight, 2),
      used(midnight, 3, { activeCpuMs: 5, invocations: 2 }),
      used(midnight, 4, { kind: 'pull', instanceId: undefined, activeCpuMs: 0, invocations: 0 }),
      used(midnight, 5, { service: 'api', memoryMbMs: most }),
      used(midnight, 6, { service: 'api', memoryMbMs: most }),
      used(midnight, 7, { projectId: 'prj_2' }),
    ];
    await db.writer.run('AppendUsage', { events });
    await db.writer.run('AppendUsage', { events: events.slice(2) });
    const { usage, usageByDay } = db.functionRecords;
    const days = { projectId: 'prj_1', firstDay: '2026-11-20', lastDay: '2026-11-21' };
    const sum = (day: string, service: string, kind: string, n: [number, bigint, number, number]) =>
      ({
        day,
        service,
        kind,
        activeCpuMs: BigInt(n[0]),
        memoryMbMs: n[1],
        invocations: BigInt(n[2]),
        events: n[3],
      }) as const;
    assert.deepEqual(await usageByDay(days), [
      sum('2026-11-20', 'web', 'run', [10, 512_000n, 1, 1]),
      sum('2026-11-21', 'api', 'run', [20, BigInt(most) * 2n, 2, 2]),
      sum('2026-11-21', 'web', 'pull', [0, 512_000n, 0, 1]),
      sum('2026-11-21', 'web', 'run', [15, 1_024_000n, 3, 2]),
    ]);
    assert.equal((await usageByDay({ ...days, firstDay: '2026-11-21' })).length, 3);
    const listed = await usage({ projectId: 'prj_1', day: '2026-11-21' }, undefined, 10);
    assert.deepEqual(listed, [events[4], events[5], events[3], events[1], events[2]]);
    for (const [index, event] of listed.entries()) {
      assert.deepEqual(
        await usage({ projectId: 'prj_1', day: '2026-11-21' }, event, 1),
        listed.slice(index + 1, index + 2),
      );
    }
    assert.equal(dayOf(midnight - 1), '2026-11-20');
    await prune(db, { usageBefore: midnight });
    assert.equal((await usageByDay(days)).length, 3);
  });

  test('bytes that projects store are told by project', async (t) => {
    const db = await open(t);
    const { teamId, repository } = await populate(db);
    const project = { id: 'prj_2', teamId, slug: 'second', settings: {}, createdAt: now };
    await db.writer.run('CreateProject', project);
    await addBlob(db, repository.id, 'sixsix');
    assert.deepEqual(await db.functionRecords.storedByProject(), [
      { projectId: 'prj_1', bytes: 6 },
    ]);
  });

  test('prices hold from their day on, and those of days before stay', async (t) => {
    const db = await open(t);
    const set = (on: string, activeCpuHour: number) =>
      db.writer.run('SetPrices', { day: on, prices: { ...prices, activeCpuHour } });
    const tables = async () =>
      (await db.functionRecords.priceTables()).map((table) => [
        table.fromDay,
        table.prices.activeCpuHour,
      ]);
    assert.deepEqual(await tables(), []);
    await set('2026-11-21', 1);
    await set('2026-11-22', 1);
    assert.deepEqual(await tables(), [['', 1]]);
    await set('2026-11-23', 2);
    await set('2026-11-23', 3);
    assert.deepEqual(await tables(), [
      ['', 1],
      ['2026-11-23', 3],
    ]);
    // A clock that went back.
    await set('2026-11-20', 4);
    assert.deepEqual(await tables(), [
      ['', 1],
      ['2026-11-23', 4],
    ]);
  });

  test('records go by age, by count of a project, and with a project that is gone', async (t) => {
    const db = await open(t);
    await populate(db);
    const many = [0, 1, 2, 3, 4, 5].map((n) => now + n * day);
    const gone = { projectId: 'prj_gone' };
    await append(db, {
      lines: [...many.map((at, n) => line(at, n)), line(now + 9 * day, 9, gone)],
      requests: [...many.map((at, n) => request(at, n)), request(now + 9 * day, 9, gone)],
      coldStarts: [...many.map((at) => start(at, 'ins_1')), start(now + 9 * day, 'ins_9', gone)],
    });
    const left = async (projectId: string) => [
      (await db.functionRecords.lines({ projectId }, end, 10)).length,
      (await db.functionRecords.requests({ projectId }, undefined, 10)).length,
      (await db.functionRecords.coldStarts({ projectId }, undefined, 10)).length,
    ];
    assert.deepEqual(await prune(db, { before: now + 2 * day, limit: 2 }), { more: true });
    assert.deepEqual(await left('prj_1'), [4, 4, 4]);
    assert.deepEqual(await left('prj_gone'), [0, 0, 0]);
    assert.deepEqual(await prune(db, { keep: 3, limit: 100 }), { more: false });
    assert.deepEqual(await left('prj_1'), [3, 3, 3]);
    const [newest] = await db.functionRecords.lines({ projectId: 'prj_1' }, end, 1);
    assert.equal(newest?.text, 'line 5');
    assert.deepEqual(await prune(db, { keep: 0, limit: 2 }), { more: true });
    assert.deepEqual(await left('prj_1'), [1, 1, 1]);
  });
}
