import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openSqliteMetadata } from '../../../storage-adapters/metadata/sqlite.ts';
import type { CommandWriter } from '../../ports/commands.ts';
import { lineIds } from './line-ids.ts';
import { type NewLine, Recorder, type RecorderLimits, type RecordKind } from './recorder.ts';

const start = Date.UTC(2026, 10, 21);
const place = { projectId: 'prj_1', deploymentId: 'dpl_1', service: 'web' };
const line = (text: string): NewLine => ({
  ...{ ...place, instanceId: 'ins_1', at: start, stream: 'stdout', text, requestIds: [] },
});

async function openRecorder(
  t: { after(fn: () => unknown): void },
  limits: Partial<RecorderLimits> = {},
  wrap: (writer: CommandWriter) => CommandWriter = (writer) => writer,
) {
  const folder = await mkdtemp(join(tmpdir(), 'gantry-records-'));
  const metadata = await openSqliteMetadata({ folder });
  let now = start;
  const dropped: [RecordKind, number][] = [];
  const warned: string[] = [];
  const recorder = new Recorder(
    {
      writer: wrap(metadata.writer),
      clock: { now: () => now },
      log: { warn: (message) => void warned.push(message) },
      retention: { logs: 86_400_000, most: 1000, usage: 86_400_000 },
      dropped: (kind, count) => void (count > 0 && dropped.push([kind, count])),
    },
    limits,
  );
  t.after(async () => {
    await recorder.close();
    await metadata.close();
    await rm(folder, { recursive: true });
  });
  const texts = async () =>
    (await metadata.functionRecords.lines({ projectId: 'prj_1' }, { after: '' }, 10_000)).map(
      (row) => row.text,
    );
  const pass = (ms: number) => {
    now += ms;
  };
  return { recorder, metadata, dropped, warned, texts, pass };
}

test('ids of lines grow, whatever the clock does', () => {
  let now = start;
  const next = lineIds(() => now);
  const ids = Array.from({ length: 10_000 }, (_, index) => {
    if (index === 5000) now -= 60_000;
    if (index === 9000) now += 120_000;
    return next();
  });
  assert.deepEqual(ids, [...ids].sort());
  assert.equal(new Set(ids).size, ids.length);
  for (const id of ids) assert.match(id, /^log_[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}$/);
});

test('lines are written a moment later, in their order, and followers are told', async (t) => {
  const { recorder, texts } = await openRecorder(t, { flushMs: 5 });
  const told = new Promise<ReadonlySet<string>>((resolve) => recorder.onLines(resolve));
  const wanted = Array.from({ length: 1200 }, (_, index) => `line ${index}`);
  for (const text of wanted) assert.ok(recorder.line(line(text)));
  assert.deepEqual([...(await told)], ['prj_1']);
  await recorder.flush();
  assert.deepEqual(await texts(), wanted);
});

test('a full batch is not waited with', async (t) => {
  const { recorder, texts } = await openRecorder(t, { flushMs: 3_600_000, batch: 10 });
  const told = new Promise((resolve) => recorder.onLines(resolve));
  for (let n = 0; n < 10; n++) recorder.line(line(`${n}`));
  await told;
  assert.equal((await texts()).length, 10);
});

test('what waits is bounded by rows and bytes; what is dropped is counted', async (t) => {
  const { recorder, dropped, texts } = await openRecorder(t, { flushMs: 3_600_000, rows: 3 });
  for (let n = 0; n < 5; n++) recorder.line(line(`${n}`));
  assert.deepEqual(dropped, [
    ['lines', 1],
    ['lines', 1],
  ]);
  await recorder.flush();
  assert.deepEqual(await texts(), ['0', '1', '2']);
  assert.ok(recorder.line(line('again')), 'there is room again');

  const small = await openRecorder(t, { flushMs: 3_600_000, lineBytes: 3000 });
  assert.ok(small.recorder.line(line('x'.repeat(1000))));
  assert.equal(small.recorder.line(line('x'.repeat(1000))), undefined);
  await small.recorder.flush();
  assert.ok(small.recorder.line(line('x'.repeat(1000))));
});

test('a database that takes nothing for a while loses nothing and doubles nothing', async (t) => {
  let failing = 2;
  const { recorder, texts, warned, metadata } = await openRecorder(
    t,
    { flushMs: 2, retryMs: 2 },
    (real) => ({
      run: async (name, args) => {
        const result = await real.run(name, args);
        // The answer of a write that was made may be lost.
        if (failing-- > 0) throw new Error('the disk is full');
        return result;
      },
    }),
  );
  const told = new Promise((resolve) => recorder.onLines(resolve));
  const event = {
    ...{ ...place, id: 'mtr_1', instanceId: 'ins_1', from: start, to: start + 1 },
    ...{ kind: 'run' as const, activeCpuMs: 1, memoryMbMs: 2, invocations: 3 },
  };
  recorder.usage(event);
  recorder.line(line('a'));
  recorder.line(line('b'));
  await told;
  assert.equal(warned.length, 2);
  assert.deepEqual(await texts(), ['a', 'b']);
  const usage = await metadata.functionRecords.usage({ ...place, day: '2026-11-21' }, undefined, 9);
  assert.deepEqual(usage, [event]);
});

test('closing writes what waits; old lines are pruned', async (t) => {
  const { recorder, texts, pass } = await openRecorder(t, { flushMs: 3_600_000 });
  await recorder.flush();
  recorder.line(line('old'));
  await recorder.flush();
  pass(90_000_000);
  recorder.line(line('new'));
  await recorder.flush();
  // There is no such project in this database: all would go.
  await recorder.prune();
  assert.deepEqual(await texts(), []);
  recorder.line(line('last'));
  await recorder.close();
  assert.deepEqual(await texts(), ['last']);
});
