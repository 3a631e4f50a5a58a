import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { RuntimeError, type RuntimeLogLine } from '../../ports/runtime-driver.ts';
import { InFlight } from './in-flight.ts';
import { lineText, mostLineBytes } from './line-text.ts';
import { LogFollower } from './log-follower.ts';
import { RecentLines } from './recent-lines.ts';

const start = Date.UTC(2026, 10, 21);

/** A log as an engine keeps one: followed by any number of readers, which may be cut off. */
function engineLog() {
  const lines: RuntimeLogLine[] = [];
  const asked: { since?: number; tail?: number; follow: boolean }[] = [];
  let wake = Promise.withResolvers<void>();
  let cut = 0;
  let ended = false;
  const rouse = () => {
    wake.resolve();
    wake = Promise.withResolvers();
  };
  return {
    lines,
    asked,
    write(text: string, at: number, stream: 'stdout' | 'stderr' = 'stdout') {
      lines.push({ text, at, stream });
      rouse();
    },
    /** Every reader's connection breaks. */
    cut() {
      cut += 1;
      rouse();
    },
    end() {
      ended = true;
      rouse();
    },
    driver: {
      async *logs(
        _id: string,
        options: { since?: number; tail?: number; follow: boolean; signal?: AbortSignal },
      ): AsyncGenerator<RuntimeLogLine> {
        const { since = 0, tail, follow, signal } = options;
        asked.push({ ...options });
        const mine = cut;
        const aborted = new Promise<void>((done) =>
          signal?.addEventListener('abort', () => done()),
        );
        let at = tail === undefined ? 0 : lines.length - tail;
        while (!signal?.aborted) {
          if (cut !== mine) throw new RuntimeError('unavailable', 'the engine went away');
          const line = lines[at];
          if (line) {
            at += 1;
            if (line.at >= since) yield line;
          } else if (ended || !follow) return;
          else await Promise.race([wake.promise, aborted]);
        }
      },
    },
  };
}

function follow(
  t: { after(fn: () => unknown): void },
  log: ReturnType<typeof engineLog>,
  more: { rate?: number; known?: RuntimeLogLine[]; pauseMs?: number } = {},
) {
  const got: string[] = [];
  const notices: string[] = [];
  let now = start;
  const follower = new LogFollower(
    {
      driver: log.driver,
      clock: { now: () => now },
      line: ({ text }) => void got.push(text),
      notice: (text) => void notices.push(text),
      rate: more.rate ?? 1000,
    },
    'engine-id',
    async () => more.known ?? [],
    { retryMs: 1, mostMs: 2, pauseMs: more.pauseMs ?? 1, drainMs: 1000 },
  );
  t.after(() => follower.close());
  const until = async (count: number) => {
    while (got.length < count) await turn();
  };
  return { follower, got, notices, until, pass: (ms: number) => (now += ms) };
}

test('lines come as they are written, and the last ones before the end', async (t) => {
  const log = engineLog();
  log.write('boot', start);
  const { got, until, follower } = follow(t, log);
  await until(1);
  log.write('a', start + 1);
  log.write('b', start + 1, 'stderr');
  await until(3);
  log.write('last', start + 2);
  log.end();
  await follower.finish();
  assert.deepEqual(got, ['boot', 'a', 'b', 'last']);
});

test('a connection that breaks loses no line and doubles none, whatever is alike', async (t) => {
  const log = engineLog();
  const { got, until, follower } = follow(t, log);
  const wanted: string[] = [];
  for (let n = 0; n < 60; n++) {
    // Two streams are stamped side by side: the second lies a little back; many read the same.
    const at = start + n * 40;
    log.write('same', at);
    log.write(`${n % 3}`, at - 30, 'stderr');
    log.write('same', at);
    wanted.push('same', `${n % 3}`, 'same');
    if (n % 4 === 0) await until(wanted.length);
    if (n % 4 === 1) log.cut();
  }
  log.end();
  await follower.finish();
  assert.deepEqual(got, wanted);
  assert.ok(log.asked.length > 10);
});

test('what another process has kept is not taken again', async (t) => {
  const log = engineLog();
  for (let n = 0; n < 10; n++) log.write(`${n}`, start + n * 500);
  const known = log.lines.slice(0, 6);
  const { got, follower } = follow(t, log, { known });
  log.end();
  await follower.finish();
  assert.deepEqual(got, ['6', '7', '8', '9']);
  assert.equal(log.asked[0]?.since, start + 2500 - 1000);
});

test('too many lines: a notice, a pause without reading, then what is new', async (t) => {
  const log = engineLog();
  const { got, notices, until, pass } = follow(t, log, { rate: 5 });
  for (let n = 0; n < 100; n++) log.write(`flood ${n}`, start);
  while (notices.length === 0) await turn();
  assert.equal(got.length, 20);
  assert.match(notices[0]!, /more than 5 a second/);
  while (log.asked.length < 2) await turn();
  assert.deepEqual([log.asked[1]?.tail, log.asked[1]?.since], [0, undefined]);
  pass(1000);
  log.write('after', start + 1000);
  await until(21);
  assert.equal(got.at(-1), 'after');
});

test('an instance that is gone is not asked for again', async (t) => {
  const log = engineLog();
  const gone = {
    // biome-ignore lint/correctness/useYield: it fails before its first line.
    async *logs(): AsyncGenerator<RuntimeLogLine> {
      log.asked.push({ follow: true });
      throw new RuntimeError('no-such-instance', 'gone');
    },
  };
  const { follower } = follow(t, { ...log, driver: gone });
  await follower.finish();
  assert.equal(log.asked.length, 1);
});

test('very many lines of one moment: known ones stay known', () => {
  const recent = new RecentLines();
  const line = (at: number, n: number) => ({ at, stream: 'stdout', text: `${n}` }) as const;
  for (let n = 0; n < 20_000; n++) assert.ok(recent.isNew(line(start + Math.floor(n / 100), n)));
  const since = recent.resume()!;
  let doubled = 0;
  for (let n = 0; n < 20_000; n++) {
    const at = start + Math.floor(n / 100);
    if (at > since && recent.isNew(line(at, n))) doubled += 1;
  }
  assert.equal(doubled, 0);
  assert.ok(since > start);
});

test('a line belongs to every request in flight at its moment, or else to those that ended just before', () => {
  const flight = new InFlight();
  flight.started('a', 100);
  flight.started('b', 150);
  flight.ended('a', 200);
  flight.ended('never', 210);
  const cases: [number, string[]][] = [
    [99, []],
    [100, ['a']],
    [149, ['a']],
    [150, ['a', 'b']],
    [200, ['a', 'b']],
    [201, ['b']],
    [5000, ['b']],
  ];
  for (const [moment, ids] of cases) assert.deepEqual(flight.at(moment), ids, String(moment));
  flight.sweep(60_000);
  assert.deepEqual(flight.at(200), ['b']);
  assert.equal(flight.count, 1);
  flight.ended('b', 60_000);
  // Nobody is in flight: it was written before the last answer, and stamped after.
  assert.deepEqual([flight.at(60_025), flight.at(60_026)], [['b'], []]);
});

test('a line is cut at 16 KiB, between characters, and says so', () => {
  assert.equal(lineText('plain\r'), 'plain');
  assert.equal(lineText('a\u0000b'), 'a\ufffdb');
  const whole = 'x'.repeat(mostLineBytes);
  assert.equal(lineText(whole), whole);
  assert.equal(lineText(`${whole}y`), `${whole} … [cut: the line has 16385 bytes]`);
  const long = lineText(`x${'€'.repeat(10_000)}`);
  assert.match(long, /^x€+ … \[cut: the line has 30001 bytes\]$/);
});
