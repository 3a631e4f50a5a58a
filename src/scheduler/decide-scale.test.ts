import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConcurrencyWindow } from './concurrency-window.ts';
import { decideScale, ladderOf, nextRung, type ScaleInput } from './decide-scale.ts';
import { defaultPoolSettings } from './pool/pool-deps.ts';

const settings = defaultPoolSettings.scale;
const calm: ScaleInput = {
  ...{ now: 0, stable: 0, panic: 0, ready: 1, concurrency: 10, min: 0, max: 100 },
  panicking: undefined,
};

const cases: readonly [
  name: string,
  given: Partial<ScaleInput>,
  desired: number,
  panics: boolean,
][] = [
  ['nothing to do: none', { ready: 0 }, 0, false],
  ['the least number is kept', { min: 3 }, 3, false],
  ['seven of ten at once are aimed at', { stable: 7, panic: 7 }, 1, false],
  ['beyond that another', { stable: 7.1, panic: 7.1 }, 2, true],
  ['the most is never passed', { stable: 900, panic: 900, max: 4 }, 4, true],
  ['one at once: one for each', { concurrency: 1, stable: 3, panic: 3, ready: 3 }, 3, false],
  ['a burst of twice the instances: panic', { stable: 7, panic: 28, ready: 2 }, 4, true],
  ['a burst of less: none', { stable: 14, panic: 20, ready: 2 }, 2, false],
  ['half at most go in a tick', { stable: 1, panic: 1, ready: 20 }, 10, false],
];

for (const [name, given, desired, panics] of cases) {
  test(`scale: ${name}`, () => {
    const decision = decideScale({ ...calm, ...given }, settings);
    assert.equal(decision.desired, desired);
    assert.equal(decision.panicking !== undefined, panics);
  });
}

test('panic never goes down, and ends a whole stable window after its last cause', () => {
  let { panicking } = decideScale({ ...calm, panic: 70, ready: 1 }, settings);
  assert.equal(panicking?.peak, 10);
  const later = { ...calm, stable: 10, panic: 1, ready: 10, panicking };
  ({ panicking } = decideScale({ ...later, now: 59_999 }, settings));
  assert.equal(decideScale({ ...later, now: 59_999 }, settings).desired, 10);
  const after = decideScale({ ...later, now: 60_000 }, settings);
  assert.deepEqual([after.desired, after.panicking], [5, undefined]);
});

test('windows average over time: 6 s and 60 s, and over less where a service is younger', () => {
  const window = new ConcurrencyWindow(0, settings);
  window.set(0, 4);
  window.set(1_000, 0);
  assert.deepEqual(window.tick(2_000), { stable: 2, panic: 2 });
  for (let now = 4_000; now <= 60_000; now += 2_000) window.tick(now);
  window.set(60_000, 6);
  const { stable, panic } = window.tick(62_000);
  assert.equal(panic, 2);
  assert.equal(Math.round(stable * 1_000), 200);
  // Late ticks, as of a process that was busy, count for the time that they cover.
  window.set(62_000, 3);
  const late = window.tick(122_000);
  assert.equal(late.stable, 3);
  assert.equal(late.panic, 3);
});

const ladder = { freezeAfterMs: 5_000, idleMs: 30_000 };
const rungs = [
  [
    { frozen: false, idleForMs: 0, mayEnd: true },
    { do: 'wait', ms: 5_000 },
  ],
  [{ frozen: false, idleForMs: 5_000, mayEnd: true }, { do: 'freeze' }],
  [
    { frozen: true, idleForMs: 5_000, mayEnd: true },
    { do: 'wait', ms: 25_000 },
  ],
  [{ frozen: true, idleForMs: 30_000, mayEnd: true }, { do: 'end' }],
  [{ frozen: false, idleForMs: 30_000, mayEnd: true }, { do: 'end' }],
  [{ frozen: true, idleForMs: 30_000, mayEnd: false }, { do: 'stay' }],
] as const;

test('the ladder: run, frozen, ended; the least number stays frozen', () => {
  for (const [state, rung] of rungs) assert.deepEqual(nextRung(state, ladder), rung);
  const never = { freezeAfterMs: 0, idleMs: 30_000 };
  assert.deepEqual(nextRung({ frozen: false, idleForMs: 9_000, mayEnd: true }, never), {
    ...{ do: 'wait', ms: 21_000 },
  });
  const own = { freezeAfterMs: 0, idleMs: { preview: 1_000 } };
  assert.deepEqual(ladderOf('preview', own, defaultPoolSettings), {
    ...{ freezeAfterMs: 0, idleMs: 1_000 },
  });
  assert.equal(ladderOf('production', own, defaultPoolSettings).idleMs, 300_000);
});
