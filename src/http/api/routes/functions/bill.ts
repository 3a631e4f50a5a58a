import type { Prices } from '../../../../ports/function-records.ts';
import {
  type BillDay,
  type BillLine,
  billOf,
  inCurrency,
  units,
} from '../../../../scheduler/pricing.ts';
import { type Call, ok, type Route } from '../../route.ts';
import { list, object, oneOf, type Schema } from '../../schema.ts';
import { csv } from './csv.ts';
import { daysOf, daysQuery } from './days.ts';
import { readBills as access, functionsPath, recordTag as tag } from './scope.ts';

/** Where no prices were ever set. */
export const free: Prices = {
  ...{ currency: 'USD', activeCpuHour: 0, memoryGbHour: 0, millionInvocations: 0 },
  ...{ pullGbHour: 0, storageGbMonth: 0 },
};

export const amount: Schema = {
  type: 'string',
  pattern: '^[0-9]+\\.[0-9]{6}$',
  description: 'In the currency, with six decimals.',
  examples: ['0.001280'],
};
export const whole = (description: string): Schema => ({
  type: 'string',
  pattern: '^[0-9]+$',
  description: `${description} A whole number, as text: it may be greater than 2^53.`,
});
export const item = oneOf('active-cpu', 'memory', 'invocations', 'pull', 'storage');
const currency: Schema = { type: 'string', examples: ['USD'] };

const billLine = object(
  {
    service: { type: 'string', description: "Empty for the project's storage." },
    item,
    quantity: whole(
      'active-cpu: CPU milliseconds; invocations: requests; else megabyte-milliseconds (of 2^20 bytes).',
    ),
    unit: whole('The quantity that the price is of.'),
    price: amount,
    amount,
    events: { type: 'integer', description: 'Metering events that it is the sum of.' },
  },
  { title: 'BillLine' },
);
const bill = object(
  {
    first: { type: 'string' },
    last: { type: 'string' },
    totals: list(object({ currency, amount }, { title: 'BillTotal' }), {
      description: 'Sums of the days, by currency.',
    }),
    days: list(
      object(
        { day: { type: 'string' }, currency, amount, lines: list(billLine) },
        { title: 'BillDay', description: 'Its amount is the sum of its lines.' },
      ),
    ),
  },
  { title: 'Bill' },
);

/** What functions cost. */
export const billRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: `${functionsPath}/bill`,
    operationId: 'getBill',
    ...{ tag, access },
    summary: 'What a project used and what that costs, by day, service and item.',
    description:
      "A line's quantity is the exact sum of its metering events; quantity × price / unit is its amount, rounded half up to a millionth of the currency. Nothing else is rounded: days and totals are sums of lines.",
    query: daysQuery,
    replies: { 200: { description: 'The bill.', schema: bill } },
    async handle(call) {
      const { firstDay: first, lastDay: last } = daysOf(call);
      const days = await daysOfBill(call);
      const sums = Map.groupBy(days, (day) => day.currency);
      const totals = [...sums].map(([currency, of]) => ({
        currency,
        amount: inCurrency(of.reduce((sum, day) => sum + day.amount, 0n)),
      }));
      return ok({ first, last, totals, days: days.map(dayView) });
    },
  },
  {
    method: 'GET',
    path: `${functionsPath}/bill/export`,
    operationId: 'exportBill',
    ...{ tag, access },
    summary: 'The same as CSV, a line each.',
    query: daysQuery,
    replies: {
      200: { description: 'The lines.', mediaType: 'text/csv', schema: { type: 'string' } },
    },
    async handle(call) {
      const days = await daysOfBill(call);
      const head = ['day', 'service', 'item', 'quantity', 'unit', 'price', 'currency', 'amount'];
      const rows = days.flatMap((day) =>
        day.lines.map((line) => {
          const view = lineView(line);
          const { service, item, quantity, unit, price, amount, events } = view;
          return [day.day, service, item, quantity, unit, price, day.currency, amount, `${events}`];
        }),
      );
      const { res, req } = call;
      res.writeHead(200, {
        'Content-Type': 'text/csv; charset=utf-8',
        'Content-Disposition': 'attachment; filename="bill.csv"',
        'Cache-Control': 'no-store',
        'X-Content-Type-Options': 'nosniff',
      });
      res.end(req.method === 'HEAD' ? undefined : csv([[...head, 'events'], ...rows]));
      return undefined;
    },
  },
];

async function daysOfBill(call: Call): Promise<BillDay[]> {
  const { functionRecords } = call.services.metadata;
  const usage = await functionRecords.usageByDay({ projectId: call.project.id, ...daysOf(call) });
  return billOf(usage, await functionRecords.priceTables(), free);
}

function dayView({ day, currency, lines, amount }: BillDay) {
  return { day, currency, amount: inCurrency(amount), lines: lines.map(lineView) };
}

function lineView({ service, item, quantity, price, amount, events }: BillLine) {
  return {
    ...{ service, item, quantity: `${quantity}`, unit: `${units[item]}` },
    ...{ price: inCurrency(price), amount: inCurrency(amount), events },
  };
}
