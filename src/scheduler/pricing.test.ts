import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MeteringEvent } from '../ports/commands-functions.ts';
import type { Prices, UsageOfDay } from '../ports/function-records.ts';
import { amountOf, billOf, inCurrency, pricesOn, type RunningSum, shareOut } from './pricing.ts';

const free: Prices = {
  ...{ currency: 'USD', activeCpuHour: 0, memoryGbHour: 0, millionInvocations: 0 },
  ...{ pullGbHour: 0, storageGbMonth: 0 },
};
const prices: Prices = {
  ...{ currency: 'USD', activeCpuHour: 128_000, memoryGbHour: 10_600 },
  ...{ millionInvocations: 600_000, pullGbHour: 20_000, storageGbMonth: 100_000 },
};

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

const used = (day: string, more: Partial<UsageOfDay> = {}): UsageOfDay => ({
  ...{ day, service: 'web', kind: 'run', events: 1 },
  ...{ activeCpuMs: 0n, memoryMbMs: 0n, invocations: 0n },
  ...more,
});

test('amounts: a unit costs its price, and half a millionth is rounded up', () => {
  const cases: [Parameters<typeof amountOf>, bigint][] = [
    [['active-cpu', 3_600_000n, 128_000n], 128_000n],
    [['memory', 1024n * 3_600_000n, 10_600n], 10_600n],
    [['invocations', 1_000_000n, 600_000n], 600_000n],
    // 1 GB for 10 seconds are 10 GB-seconds.
    [['pull', 1024n * 10_000n, 3_600_000n], 10_000n],
    [['storage', 1024n * 30n * 86_400_000n, 100_000n], 100_000n],
    [['invocations', 0n, 600_000n], 0n],
    [['invocations', 1n, 499_999n], 0n],
    [['invocations', 1n, 500_000n], 1n],
    [['invocations', 3n, 500_000n], 2n],
    // Beyond 2^53.
    [['invocations', 10n ** 20n, 1n], 10n ** 14n],
  ];
  for (const [given, wanted] of cases) assert.equal(amountOf(...given), wanted, String(given));
});

test('a day has the prices that held then', () => {
  const tables = [
    { fromDay: '', prices: free },
    { fromDay: '2026-11-21', prices },
  ];
  assert.equal(pricesOn('2026-11-20', tables), free);
  assert.equal(pricesOn('2026-11-21', tables), prices);
  assert.equal(pricesOn('2027-01-01', tables), prices);
  assert.equal(pricesOn('2027-01-01', []), undefined);
});

test('a bill: lines by service and item, days and their sums', () => {
  const bill = billOf(
    [
      used('2026-11-20', { activeCpuMs: 3_600_000n, invocations: 10n, events: 4 }),
      used('2026-11-20', { kind: 'pull', memoryMbMs: 1024n * 3_600_000n }),
      used('2026-11-21', { kind: 'storage', service: '', memoryMbMs: 1024n * 86_400_000n }),
    ],
    [{ fromDay: '2026-11-01', prices }],
    free,
  );
  const line = (
    service: string,
    item: string,
    quantity: bigint,
    price: bigint,
    amount: bigint,
    events = 1,
  ) => ({ service, item, quantity, price, amount, events }) as const;
  assert.deepEqual(bill, [
    {
      ...{ day: '2026-11-20', currency: 'USD', amount: 148_006n },
      lines: [
        line('web', 'active-cpu', 3_600_000n, 128_000n, 128_000n, 4),
        line('web', 'invocations', 10n, 600_000n, 6n, 4),
        line('web', 'pull', 1024n * 3_600_000n, 20_000n, 20_000n),
      ],
    },
    {
      ...{ day: '2026-11-21', currency: 'USD', amount: 3333n },
      lines: [line('', 'storage', 1024n * 86_400_000n, 100_000n, 3333n)],
    },
  ]);
  assert.equal(billOf([used('2026-10-31', { invocations: 1_000_000n })], [], free)[0]?.amount, 0n);
});

test('shares of events add up to their line exactly, however small, and wherever pages end', () => {
  for (let seed = 1; seed <= 200; seed++) {
    const next = random(seed);
    const events: MeteringEvent[] = [];
    for (const service of ['api', 'web']) {
      for (const kind of ['pull', 'run'] as const) {
        for (let n = next(30); n > 0; n--) {
          events.push({
            ...{ id: `mtr_${n}`, projectId: 'prj_1', deploymentId: 'dpl_1', service, kind },
            ...{ instanceId: undefined, from: 0, to: 1 },
            activeCpuMs: kind === 'run' ? next(50) : 0,
            memoryMbMs: next(2_000_000),
            invocations: kind === 'run' ? next(3) : 0,
          });
        }
      }
    }
    const usage = [...Map.groupBy(events, (e) => `${e.service} ${e.kind}`).values()].map((of) =>
      used('2026-11-21', {
        ...{ service: of[0]!.service, kind: of[0]!.kind, events: of.length },
        activeCpuMs: of.reduce((sum, e) => sum + BigInt(e.activeCpuMs), 0n),
        memoryMbMs: of.reduce((sum, e) => sum + BigInt(e.memoryMbMs), 0n),
        invocations: of.reduce((sum, e) => sum + BigInt(e.invocations), 0n),
      }),
    );
    const [day] = billOf(usage, [{ fromDay: '', prices }], free);
    const shares = new Map<string, bigint>();
    let sum: RunningSum | undefined;
    for (let at = 0; at < events.length; ) {
      const size = 1 + next(7);
      const page = shareOut(events.slice(at, at + size), prices, sum);
      ({ sum } = page);
      at += size;
      for (const { event, amounts } of page.priced) {
        for (const { item, amount } of amounts) {
          assert.ok(amount >= 0n);
          const key = `${event.service} ${item}`;
          shares.set(key, (shares.get(key) ?? 0n) + amount);
        }
      }
    }
    for (const line of day?.lines ?? []) {
      assert.equal(shares.get(`${line.service} ${line.item}`), line.amount, `seed ${seed}`);
    }
    const total = [...shares.values()].reduce((a, b) => a + b, 0n);
    assert.equal(total, day?.amount ?? 0n, `seed ${seed}`);
  }
});

test('amounts as people read them', () => {
  assert.equal(inCurrency(0n), '0.000000');
  assert.equal(inCurrency(1n), '0.000001');
  assert.equal(inCurrency(12_345_678n), '12.345678');
});
