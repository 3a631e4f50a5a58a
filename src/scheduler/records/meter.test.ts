import assert from 'node:assert/strict';
import { test } from 'node:test';
import { byDay, Meter, type Used } from './meter.ts';

const midnight = Date.UTC(2026, 10, 21);
const start = midnight + 1000;
const machine = { cpus: 1, memory: 512 * 2 ** 20 };

type Step =
  | readonly ['start' | 'end', at: number]
  | readonly ['look', at: number, cpuMs: number]
  | readonly ['cut', at: number];

/** Sums over all spans of what the steps used; times from `start`. */
function meter(steps: readonly Step[], of = machine) {
  const it = new Meter(of, start);
  const spans: Used[] = [];
  for (const step of steps) {
    const at = start + step[1];
    if (step[0] === 'start') it.started(at);
    else if (step[0] === 'end') it.ended(at);
    else if (step[0] === 'look') it.looked(at, step[2] * 1000);
    else spans.push(...it.cut(at));
  }
  return spans;
}
const sums = (spans: readonly Used[]) => ({
  cpu: spans.reduce((sum, span) => sum + span.activeCpuMs, 0),
  memory: spans.reduce((sum, span) => sum + span.memoryMbMs, 0),
  invocations: spans.reduce((sum, span) => sum + span.invocations, 0),
});

test('what counts: times in flight, once, however many requests share them', () => {
  const cases: [string, readonly Step[], [cpu: number, busyMs: number, invocations: number]][] = [
    [
      'nothing',
      [
        ['look', 0, 5],
        ['look', 100, 50],
        ['cut', 200],
      ],
      [0, 0, 0],
    ],
    [
      'one request',
      [
        ['look', 0, 0],
        ['start', 0],
        ['end', 100],
        ['look', 100, 40],
        ['cut', 200],
      ],
      [40, 100, 1],
    ],
    [
      'two at once',
      [
        ['look', 0, 0],
        ['start', 0],
        ['start', 10],
        ['end', 50],
        ['end', 100],
        ['look', 100, 70],
        ['cut', 100],
      ],
      [70, 100, 2],
    ],
    [
      'one in another',
      [
        ['look', 0, 0],
        ['start', 0],
        ['start', 10],
        ['end', 90],
        ['end', 100],
        ['look', 100, 9],
        ['cut', 100],
      ],
      [9, 100, 2],
    ],
    [
      'waiting costs no CPU',
      [
        ['look', 0, 7],
        ['start', 0],
        ['end', 60_000],
        ['look', 60_000, 7],
        ['cut', 60_000],
      ],
      [0, 60_000, 1],
    ],
    [
      'work between requests',
      [
        ['look', 0, 0],
        ['start', 0],
        ['end', 10],
        ['look', 10, 10],
        ['look', 500, 400],
        ['start', 500],
        ['end', 520],
        ['look', 520, 415],
        ['cut', 600],
      ],
      [25, 30, 2],
    ],
    [
      'the look is late: no more than the time in flight',
      [
        ['look', 0, 0],
        ['start', 900],
        ['look', 905, 300],
        ['end', 910],
        ['look', 910, 302],
        ['cut', 910],
      ],
      [7, 10, 1],
    ],
    [
      'a counter that began anew',
      [
        ['look', 0, 500],
        ['start', 0],
        ['end', 10],
        ['look', 10, 3],
        ['cut', 10],
      ],
      [0, 10, 1],
    ],
    [
      'no look before',
      [
        ['start', 0],
        ['end', 10],
        ['look', 10, 3],
        ['cut', 10],
      ],
      [0, 10, 1],
    ],
    [
      'an end without a start',
      [
        ['end', 10],
        ['start', 20],
        ['end', 30],
        ['end', 40],
        ['cut', 50],
      ],
      [0, 10, 1],
    ],
    [
      'a clock that goes back',
      [
        ['start', 10],
        ['end', 5],
        ['start', 6],
        ['end', 20],
        ['cut', 20],
      ],
      [0, 10, 2],
    ],
    [
      'cut in the middle',
      [
        ['start', 0],
        ['cut', 30],
        ['end', 100],
        ['cut', 100],
      ],
      [0, 100, 1],
    ],
  ];
  for (const [name, steps, [cpu, busyMs, invocations]] of cases) {
    assert.deepEqual(sums(meter(steps)), { cpu, memory: busyMs * 512, invocations }, name);
  }
});

test('two cores can use twice the time', () => {
  const steps: Step[] = [
    ['look', 0, 0],
    ['start', 0],
    ['end', 100],
    ['look', 100, 180],
    ['cut', 100],
  ];
  assert.equal(sums(meter(steps, { ...machine, cpus: 2 })).cpu, 180);
  assert.equal(sums(meter(steps, { ...machine, cpus: 0.25 })).cpu, 25);
});

test('a request over midnight is in both days, each with its part', () => {
  const it = new Meter(machine, midnight - 5000);
  it.looked(midnight - 5000, 0);
  it.started(midnight - 3000);
  it.ended(midnight + 2 * 86_400_000 + 10);
  const spans = it.cut(midnight + 2 * 86_400_000 + 10);
  assert.deepEqual(
    spans.map(({ from, to, memoryMbMs, invocations }) => [from, to, memoryMbMs / 512, invocations]),
    [
      [midnight - 3000, midnight, 3000, 1],
      [midnight, midnight + 86_400_000, 86_400_000, 0],
      [midnight + 86_400_000, midnight + 2 * 86_400_000, 86_400_000, 0],
      [midnight + 2 * 86_400_000, midnight + 2 * 86_400_000 + 10, 10, 0],
    ],
  );
  assert.deepEqual(byDay(midnight - 5, midnight + 7), [
    { from: midnight - 5, to: midnight },
    { from: midnight, to: midnight + 7 },
  ]);
  assert.deepEqual(byDay(midnight, midnight), []);
});

/** A generator of our own, so that a failure comes again: Mulberry32. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

test('property: memory is the union of the times in flight; cutting anywhere changes no sum; CPU is within bounds', () => {
  for (let seed = 1; seed <= 300; seed++) {
    const next = random(seed);
    const odd = { cpus: 1 + next(4), memory: 1 + next(2 ** 30) };
    const intervals = Array.from({ length: 1 + next(20) }, () => {
      const from = next(200_000);
      return [from, from + next(30_000)] as const;
    });
    const steps: Step[] = intervals.flatMap(([from, to]) => [
      ['start', from] as const,
      ['end', to] as const,
    ]);
    let cpu = 0;
    const looks = Array.from({ length: 40 }, () => next(240_000)).sort((a, b) => a - b);
    for (const at of [0, ...looks]) {
      steps.push(['look', at, cpu]);
      cpu += next(10_000);
    }
    steps.sort((a, b) => a[1] - b[1] || order(a) - order(b));
    const end: Step = ['cut', 250_000];
    const whole = sums(meter([...steps, end], odd));
    const cutUp = steps.flatMap((step): Step[] =>
      next(3) === 0 ? [step, ['cut', step[1]]] : [step],
    );
    assert.deepEqual(sums(meter([...cutUp, end], odd)), whole, `seed ${seed}`);

    // The union, by looking at each millisecond's edge.
    const edges = [...new Set(intervals.flat())].sort((a, b) => a - b);
    let union = 0;
    for (const [index, edge] of edges.entries()) {
      const upTo = edges[index + 1] ?? edge;
      if (intervals.some(([from, to]) => from <= edge && upTo <= to)) union += upTo - edge;
    }
    const exact = (union * odd.memory) / 2 ** 20;
    assert.ok(Math.abs(whole.memory - exact) <= 1, `seed ${seed}: ${whole.memory} of ${exact}`);
    assert.equal(whole.invocations, intervals.length);
    assert.ok(whole.cpu <= union * odd.cpus && whole.cpu <= cpu, `seed ${seed}`);
  }
});

/** Starts before ends at one moment, so that what touches is one. */
const order = (step: Step): number => ['start', 'look', 'end', 'cut'].indexOf(step[0]);
