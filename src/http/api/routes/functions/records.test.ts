import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from '../../../../oci/digest.ts';
import type {
  ColdStart,
  FunctionLogLine,
  MeteringEvent,
  RequestRecord,
} from '../../../../ports/commands-functions.ts';
import { firstIdAt } from '../../../../ports/function-records.ts';
import { start } from '../../../../registry/registry-test-kit.ts';
import { type ApiKit, openApi } from '../../api-test-kit.ts';

const path = '/teams/acme/projects/shop/functions';
const place = { projectId: 'prj_1', deploymentId: 'dpl_1', service: 'web' };
const id = (prefix: string, n: number, at = start): string =>
  `${firstIdAt(prefix, at)}${String(n).padStart(20, '0')}`;
const line = (n: number, more: Partial<FunctionLogLine> = {}): FunctionLogLine => ({
  ...{ ...place, id: id('log', n), instanceId: 'ins_1', at: start, stream: 'stdout' },
  ...{ text: `line ${n}`, requestIds: [] },
  ...more,
});
const request = (n: number, more: Partial<RequestRecord> = {}): RequestRecord => ({
  ...{ ...place, id: id('req', n), instanceId: 'ins_1', at: start, method: 'GET', host: 'h' },
  ...{ path: '/', status: 200, error: undefined, cold: false, queueMs: 1.5, firstByteMs: 2 },
  ...{ totalMs: 3, requestBytes: 4, responseBytes: 5 },
  ...more,
});
const cold = (n: number, more: Partial<ColdStart> = {}): ColdStart => ({
  ...{ ...place, instanceId: `ins_${n}`, at: start + n, digest: digestOf(Buffer.from('i')) },
  ...{ from: 'image', queueMs: 1, pullMs: 0, createMs: 20, bootMs: 100 * n, appMs: undefined },
  ...{ error: undefined, ...more },
});
const used = (n: number, more: Partial<MeteringEvent> = {}): MeteringEvent => ({
  ...{ ...place, id: id('mtr', n), instanceId: 'ins_1', from: start, to: start + 1000 },
  ...{ kind: 'run', activeCpuMs: 7, memoryMbMs: 512_000, invocations: 1 },
  ...more,
});

async function keep(
  { app }: ApiKit,
  rows: { lines?: FunctionLogLine[]; requests?: RequestRecord[]; coldStarts?: ColdStart[] },
): Promise<void> {
  const none = { lines: [], requests: [], coldStarts: [] };
  await app.world.metadata.writer.run('AppendFunctionLogs', { ...none, ...rows });
}

test('lines: by page, service, instance and request, also while that is under way', async (t) => {
  const kit = await openApi(t);
  const as = await kit.token();
  const asked = [id('req', 1), id('req', 2)] as const;
  await keep(kit, {
    lines: [
      line(1),
      line(2, { service: 'api', requestIds: [asked[0]] }),
      line(3, { requestIds: [...asked] }),
      line(4, { requestIds: [asked[0]], instanceId: 'ins_2', stream: 'system' }),
    ],
    requests: [request(1)],
  });
  const texts = async (query = '') => {
    const { body } = await kit.call('GET', `${path}/logs${query}`, { as });
    return body.items.map((item: { text: string }) => item.text.slice(5)).join('');
  };
  assert.equal(await texts(), '4321');
  assert.equal(await texts('?service=web'), '431');
  assert.equal(await texts('?instance=ins_2'), '4');
  assert.equal(await texts('?deployment=dpl_2'), '');
  assert.equal(await texts(`?request=${asked[0]}`), '32');
  // Not ended yet: it is looked for.
  assert.equal(await texts(`?request=${asked[1]}`), '3');
  assert.equal(await texts(`?request=${asked[1]}&service=api`), '');
  const first = await kit.call('GET', `${path}/logs?limit=3`, { as });
  assert.deepEqual(first.body.items[0], {
    ...{ id: id('log', 4), at: '2026-11-21T00:00:00.000Z', deployment: 'dpl_1', service: 'web' },
    ...{ instance: 'ins_2', stream: 'system', text: 'line 4', requests: [asked[0]] },
  });
  const second = await kit.call('GET', `${path}/logs?limit=3&cursor=${first.body.next}`, { as });
  assert.deepEqual([second.body.items.length, second.body.next], [1, null]);
  // A cursor is good for its own list alone.
  const wrong = await kit.call('GET', `${path}/logs?service=web&cursor=${first.body.next}`, { as });
  assert.equal(wrong.status, 400);
  assert.equal((await kit.call('GET', `${path}/logs?request=x`, { as })).status, 400);
  assert.equal((await kit.call('GET', `${path}/logs/stream?lastEventId=5`, { as })).status, 400);
});

test('requests: a list, and one with its lines', async (t) => {
  const kit = await openApi(t);
  const as = await kit.token();
  await keep(kit, {
    requests: [request(1), request(2, { instanceId: undefined, error: 'QUEUE_FULL', status: 503 })],
    lines: [line(1, { requestIds: [id('req', 1)] }), line(2)],
  });
  const { body } = await kit.call('GET', `${path}/requests`, { as });
  assert.deepEqual(
    body.items.map((item: Record<string, unknown>) => [item.id, item.instance, item.error]),
    [
      [id('req', 2), null, 'QUEUE_FULL'],
      [id('req', 1), 'ins_1', null],
    ],
  );
  const one = await kit.call('GET', `${path}/requests/${id('req', 1)}`, { as });
  assert.deepEqual(
    one.body.lines.map(({ text }: { text: string }) => text),
    ['line 1'],
  );
  assert.equal(one.body.moreLines, false);
  assert.equal(
    (await kit.call('GET', `${path}/requests/${id('req', 2)}`, { as })).body.lines.length,
    0,
  );
  assert.equal((await kit.call('GET', `${path}/requests/${id('req', 3)}`, { as })).status, 404);
});

test('cold starts: a ledger, and its percentiles', async (t) => {
  const kit = await openApi(t);
  const as = await kit.token();
  await keep(kit, {
    coldStarts: [
      ...[1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((n) => cold(n)),
      cold(11, { from: 'frozen', bootMs: 8, createMs: 0, appMs: 2, service: 'api' }),
      cold(12, { error: 'nothing listens' }),
    ],
  });
  const page = await kit.call('GET', `${path}/cold-starts?limit=2`, { as });
  assert.deepEqual(
    page.body.items.map((item: Record<string, unknown>) => [
      item.instance,
      item.totalMs,
      item.error,
    ]),
    [
      ['ins_12', 1221, 'nothing listens'],
      ['ins_11', 11, null],
    ],
  );
  const next = await kit.call('GET', `${path}/cold-starts?limit=2&cursor=${page.body.next}`, {
    as,
  });
  assert.equal(next.body.items[0].instance, 'ins_10');
  const api = await kit.call('GET', `${path}/cold-starts?service=api`, { as });
  assert.deepEqual([api.body.items.length, api.body.next], [1, null]);
  const { body } = await kit.call('GET', `${path}/cold-starts/summary`, { as });
  assert.deepEqual([body.starts, body.failed], [12, 1]);
  const image = body.byOrigin.find(({ from }: { from: string }) => from === 'image');
  assert.deepEqual(image.stages.boot, { p50: 500, p90: 900, p99: 1000 });
  assert.equal(image.stages.app, null);
  const since = new Date(start + 11).toISOString();
  const late = await kit.call('GET', `${path}/cold-starts/summary?since=${since}`, { as });
  assert.equal(late.body.starts, 2);
});

test('the bill is the sum of its events, by page and as CSV', async (t) => {
  const kit = await openApi(t);
  const as = await kit.token();
  const { writer } = kit.app.world.metadata;
  const events = Array.from({ length: 25 }, (_, n) => used(n, { service: n < 10 ? 'api' : 'web' }));
  events.push(used(30, { kind: 'pull', activeCpuMs: 0, memoryMbMs: 999, invocations: 0 }));
  events.push(used(31, { kind: 'storage', service: '', deploymentId: '', instanceId: undefined }));
  await writer.run('AppendUsage', { events });
  await writer.run('SetPrices', {
    day: '2026-11-01',
    prices: {
      ...{ currency: 'EUR', activeCpuHour: 128_000, memoryGbHour: 10_600 },
      ...{ millionInvocations: 600_000, pullGbHour: 5_000_000, storageGbMonth: 100_000_000 },
    },
  });
  const { body } = await kit.call('GET', `${path}/bill`, { as });
  assert.equal(body.days.length, 1);
  const [day] = body.days;
  const micros = (amount: string) => BigInt(amount.replace('.', ''));
  const lines = day.lines.reduce(
    (sum: bigint, l: { amount: string }) => sum + micros(l.amount),
    0n,
  );
  assert.equal(micros(day.amount), lines);
  assert.deepEqual(body.totals, [{ currency: 'EUR', amount: day.amount }]);
  assert.ok(lines > 0n);

  let shares = 0n;
  let count = 0;
  for (let cursor = ''; ; ) {
    const page = await kit.call('GET', `${path}/usage/events?day=2026-11-21&limit=4${cursor}`, {
      as,
    });
    for (const item of page.body.items) {
      count += 1;
      for (const { amount } of item.amounts) shares += micros(amount);
    }
    if (page.body.next === null) break;
    cursor = `&cursor=${page.body.next}`;
  }
  assert.equal(count, events.length);
  assert.equal(shares, lines);

  const text = async (url: string) => {
    const headers = { Authorization: `Bearer ${as}` };
    const answer = await kit.app.fetch(`/api/v1${path}/${url}`, { headers });
    assert.equal(answer.headers.get('content-type'), 'text/csv; charset=utf-8');
    return (await answer.text())
      .trimEnd()
      .split('\r\n')
      .map((row) => row.split(','));
  };
  const bill = await text('bill/export?first=2026-11-20&last=2026-11-22');
  assert.equal(bill.length, day.lines.length + 1);
  assert.deepEqual(bill[0]?.slice(0, 3), ['day', 'service', 'item']);
  const rows = await text('usage/export');
  assert.equal(rows.length, events.length + 1);
  const sum = rows
    .slice(1)
    .flatMap((row) => row.slice(12))
    .filter((cell) => cell !== '');
  assert.equal(
    sum.reduce((all, cell) => all + micros(cell), 0n),
    lines,
  );

  const usage = await kit.call('GET', `${path}/usage?first=2026-11-21&last=2026-11-21`, { as });
  assert.deepEqual(usage.body.items[1], {
    ...{ day: '2026-11-21', service: 'api', kind: 'run', events: 10 },
    ...{ activeCpuMs: '70', memoryMbMs: '5120000', invocations: '10' },
  });
  for (const query of [
    'first=2026-02-30',
    'first=2026-11-22&last=2026-11-21',
    'first=2020-01-01',
  ]) {
    assert.equal((await kit.call('GET', `${path}/bill?${query}`, { as })).status, 400, query);
  }
});

test('who runs functions reads what they did; who may only pull does not; who manages sees the bill', async (t) => {
  const kit = await openApi(t);
  const status = async (as: string, route: string) =>
    (await kit.call('GET', `${path}/${route}`, { as })).status;
  const [puller, runner, manager] = [
    await kit.robot(['pull']),
    await kit.robot(['functions']),
    await kit.robot(['pull', 'manage']),
  ];
  for (const route of ['logs', 'requests', 'cold-starts', 'metrics']) {
    assert.equal(await status(puller, route), 403, route);
    assert.equal(await status(runner, route), 200, route);
    assert.equal(await status(manager, route), 403, route);
  }
  for (const route of ['bill', 'usage', 'usage/events?day=2026-11-21']) {
    assert.equal(await status(puller, route), 403, route);
    assert.equal(await status(runner, route), 200, route);
    assert.equal(await status(manager, route), 200, route);
  }
});
