import type { MeteringEvent } from '../ports/commands-functions.ts';
import type { Prices, PriceTable, UsageOfDay } from '../ports/function-records.ts';

/** What is billed, each by a quantity of its own. */
export type BillItem = 'active-cpu' | 'memory' | 'invocations' | 'pull' | 'storage';

/** What one item cost in one service on one day: the sum of its events, priced and rounded once. */
export interface BillLine {
  readonly service: string;
  readonly item: BillItem;
  /** Of `active-cpu` CPU milliseconds, of `invocations` requests, else MB·ms (MB of 2^20 bytes). */
  readonly quantity: bigint;
  /** Millionths of the currency, for `units[item]` of the quantity. */
  readonly price: bigint;
  /** Millionths of the currency. */
  readonly amount: bigint;
  /** How many metering events it was made of. */
  readonly events: number;
}

export interface BillDay {
  readonly day: string;
  readonly currency: string;
  readonly lines: readonly BillLine[];
  readonly amount: bigint;
}

const hour = 3_600_000n;
const gigabyte = 1024n;

/** The quantity that a price is of. */
export const units: Readonly<Record<BillItem, bigint>> = {
  'active-cpu': hour,
  memory: gigabyte * hour,
  invocations: 1_000_000n,
  pull: gigabyte * hour,
  storage: gigabyte * 30n * 24n * hour,
};

type Quantities = Pick<UsageOfDay, 'activeCpuMs' | 'memoryMbMs' | 'invocations'>;

/** The items of a kind of event, and which of its figures each is. */
const itemsOf: Readonly<
  Record<MeteringEvent['kind'], readonly (readonly [BillItem, keyof Quantities])[]>
> = {
  run: [
    ['active-cpu', 'activeCpuMs'],
    ['memory', 'memoryMbMs'],
    ['invocations', 'invocations'],
  ],
  pull: [['pull', 'memoryMbMs']],
  storage: [['storage', 'memoryMbMs']],
};

const priceOf = (prices: Prices, item: BillItem): bigint =>
  BigInt(
    {
      'active-cpu': prices.activeCpuHour,
      memory: prices.memoryGbHour,
      invocations: prices.millionInvocations,
      pull: prices.pullGbHour,
      storage: prices.storageGbMonth,
    }[item],
  );

/** Millionths of the currency, rounded half up: quantities and prices are never negative. */
export function amountOf(item: BillItem, quantity: bigint, price: bigint): bigint {
  const unit = units[item];
  return (2n * quantity * price + unit) / (2n * unit);
}

/** Of tables oldest first: the prices of a day. Undefined: none were ever set. */
export function pricesOn(day: string, tables: readonly PriceTable[]): Prices | undefined {
  return tables.findLast(({ fromDay }) => fromDay <= day)?.prices;
}

/**
 * The bill of the days that were used, oldest first. Rounding happens in one place, the line: its quantity is
 * the exact sum of its events', its amount is rounded half up to a millionth of the currency, and a day's and a
 * bill's amounts are exact sums of lines.
 */
export function billOf(
  usage: readonly UsageOfDay[],
  tables: readonly PriceTable[],
  free: Prices,
): BillDay[] {
  const days = new Map<string, { lines: BillLine[]; prices: Prices }>();
  for (const used of usage) {
    let day = days.get(used.day);
    if (!day) {
      day = { lines: [], prices: pricesOn(used.day, tables) ?? free };
      days.set(used.day, day);
    }
    for (const [item, figure] of itemsOf[used.kind]) {
      const quantity = used[figure];
      if (quantity === 0n) continue;
      const price = priceOf(day.prices, item);
      const amount = amountOf(item, quantity, price);
      const { service, events } = used;
      day.lines.push({ service, item, quantity, price, amount, events });
    }
  }
  return [...days].map(([day, { lines, prices }]) => ({
    ...{ day, currency: prices.currency, lines },
    amount: lines.reduce((sum, line) => sum + line.amount, 0n),
  }));
}

/** What was used by the events of one line's service and kind before the next one. */
export interface RunningSum extends Quantities {
  readonly service: string;
  readonly kind: string;
}

export interface PricedEvent {
  readonly event: MeteringEvent;
  /** Millionths of the currency. */
  readonly amounts: readonly { readonly item: BillItem; readonly amount: bigint }[];
}

/**
 * Each event's share of its line, of events of one day in the order of service, kind and id: what the line's
 * amount grows by with it. So the shares add up to the line, to the millionth, though each event by itself may
 * cost less than one. `sum`: where the events before these left off.
 */
export function shareOut(
  events: readonly MeteringEvent[],
  prices: Prices,
  sum: RunningSum | undefined,
): { readonly priced: readonly PricedEvent[]; readonly sum: RunningSum | undefined } {
  let before = sum;
  const priced = events.map((event): PricedEvent => {
    const { service, kind } = event;
    const same = before?.service === service && before.kind === kind ? before : undefined;
    const after: RunningSum = {
      ...{ service, kind },
      activeCpuMs: (same?.activeCpuMs ?? 0n) + BigInt(event.activeCpuMs),
      memoryMbMs: (same?.memoryMbMs ?? 0n) + BigInt(event.memoryMbMs),
      invocations: (same?.invocations ?? 0n) + BigInt(event.invocations),
    };
    before = after;
    const amounts = itemsOf[kind].map(([item, figure]) => {
      const price = priceOf(prices, item);
      const grown =
        amountOf(item, after[figure], price) - amountOf(item, same?.[figure] ?? 0n, price);
      return { item, amount: grown };
    });
    return { event, amounts };
  });
  return { priced, sum: before };
}

/** `1.234567`: six decimals, without a sign. */
export function inCurrency(micros: bigint): string {
  return `${micros / 1_000_000n}.${String(micros % 1_000_000n).padStart(6, '0')}`;
}
