import { setImmediate as turn } from 'node:timers/promises';
import type { MeteringEvent } from '../../../../ports/commands-functions.ts';
import type { Prices, UsagePlace } from '../../../../ports/function-records.ts';
import {
  inCurrency,
  type PricedEvent,
  pricesOn,
  type RunningSum,
  shareOut,
} from '../../../../scheduler/pricing.ts';
import { limitOf, pageQuery } from '../../paging.ts';
import { type Call, ok, type Route } from '../../route.ts';
import { list, nullable, object, oneOf, page, time, toTime } from '../../schema.ts';
import { writeOut } from '../../write-out.ts';
import { amount, free, item, whole } from './bill.ts';
import { csv } from './csv.ts';
import { day, daysOf, daysQuery, realDay } from './days.ts';
import { readBills as access, functionsPath, recordTag as tag } from './scope.ts';

const kind = {
  ...oneOf('run', 'pull', 'storage'),
  description: 'run: instances with requests in flight; pull: of an image; storage: of a day.',
};
const figures = {
  activeCpuMs: whole('CPU time while requests were in flight, in milliseconds.'),
  memoryMbMs: whole(
    'Memory of the machine × time with requests in flight (of a pull: × its time; of storage: bytes kept × a day), in megabyte-milliseconds.',
  ),
  invocations: whole('Requests that came to an instance.'),
} as const;
const usageOfDay = object(
  {
    ...{ day: { type: 'string' }, service: { type: 'string' }, kind },
    ...figures,
    events: { type: 'integer' },
  },
  { title: 'UsageOfDay' },
);
const meteringEvent = object(
  {
    id: { type: 'string' },
    deployment: nullable({ type: 'string' }),
    service: { type: 'string' },
    instance: nullable({ type: 'string' }),
    ...{ kind, from: time, to: time },
    ...figures,
    amounts: list(object({ item, amount }, { title: 'EventAmount' }), {
      description: "Its share of the bill's lines: shares add up to the line, to the millionth.",
    }),
  },
  { title: 'MeteringEvent', description: 'What one instance used in one span of time.' },
);
const chunk = 500;
/** How long the client of an export may take nothing. */
const patienceMs = 30_000;

/** What functions used. */
export const functionUsageRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: `${functionsPath}/usage`,
    operationId: 'getFunctionUsage',
    ...{ tag, access },
    summary: 'What a project used, by day, service and kind.',
    query: daysQuery,
    replies: {
      200: {
        description: 'Sums of metering events.',
        schema: object(
          { first: { type: 'string' }, last: { type: 'string' }, items: list(usageOfDay) },
          { title: 'FunctionUsage' },
        ),
      },
    },
    async handle(call) {
      const days = daysOf(call);
      const { functionRecords } = call.services.metadata;
      const items = await functionRecords.usageByDay({ projectId: call.project.id, ...days });
      return ok({
        ...{ first: days.firstDay, last: days.lastDay },
        items: items.map(({ activeCpuMs, memoryMbMs, invocations, ...rest }) => ({
          ...{ ...rest, activeCpuMs: `${activeCpuMs}`, memoryMbMs: `${memoryMbMs}` },
          invocations: `${invocations}`,
        })),
      });
    },
  },
  {
    method: 'GET',
    path: `${functionsPath}/usage/events`,
    operationId: 'listMeteringEvents',
    ...{ tag, access },
    summary: 'The metering events behind a day of the bill, by service, kind and time.',
    query: { ...pageQuery({ day }), required: ['day'] },
    replies: { 200: { description: 'A page.', schema: page(meteringEvent, 'MeteringEvents') } },
    handle: listEvents,
  },
  {
    method: 'GET',
    path: `${functionsPath}/usage/export`,
    operationId: 'exportMeteringEvents',
    ...{ tag, access },
    summary: 'The metering events of some days as CSV, with their shares of the bill.',
    query: daysQuery,
    replies: {
      200: { description: 'An event a line.', mediaType: 'text/csv', schema: { type: 'string' } },
    },
    handle: exportEvents,
  },
];

async function listEvents(call: Call) {
  const { cursors, metadata } = call.services;
  const asked = realDay(call.query.day)!;
  const key = `metering:${call.project.id}/${asked}`;
  const given = cursors.read(key, call.query.cursor);
  const place = given && { service: `${given[0]}`, kind: `${given[1]}`, id: `${given[2]}` };
  // How far the sums of the line had come, so that the shares go on from there.
  const sum = place && {
    ...{ service: place.service, kind: place.kind, activeCpuMs: BigInt(given[3]!) },
    ...{ memoryMbMs: BigInt(given[4]!), invocations: BigInt(given[5]!) },
  };
  const limit = limitOf(call);
  const scope = { projectId: call.project.id, day: asked };
  const rows = await metadata.functionRecords.usage(scope, place, limit + 1);
  const shared = shareOut(rows.slice(0, limit), await pricesOf(call, asked), sum);
  const last = shared.priced.at(-1)?.event;
  const at = shared.sum;
  const next =
    rows.length > limit && last && at
      ? cursors.sign(key, [
          ...[last.service, last.kind, last.id],
          ...[`${at.activeCpuMs}`, `${at.memoryMbMs}`, `${at.invocations}`],
        ])
      : null;
  return ok({ items: shared.priced.map(viewOf), next });
}

/** Reads on as the client takes it. */
async function exportEvents(call: Call): Promise<undefined> {
  const { req, res, project, services } = call;
  const { firstDay, lastDay } = daysOf(call);
  const gone = new AbortController();
  res.once('close', () => gone.abort());
  res.writeHead(200, {
    'Content-Type': 'text/csv; charset=utf-8',
    'Content-Disposition': 'attachment; filename="usage.csv"',
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
  });
  if (req.method === 'HEAD') {
    res.end();
    return undefined;
  }
  await writeOut(res, csv([head]), patienceMs, gone.signal);
  const { functionRecords } = services.metadata;
  const used = await functionRecords.usageByDay({ projectId: project.id, firstDay, lastDay });
  for (const day of new Set(used.map((one) => one.day))) {
    const prices = await pricesOf(call, day);
    let place: UsagePlace | undefined;
    let sum: RunningSum | undefined;
    for (let more = true; more && !gone.signal.aborted; ) {
      const rows: MeteringEvent[] = await functionRecords.usage(
        ...([{ projectId: project.id, day }, place, chunk] as const),
      );
      more = rows.length === chunk;
      place = rows.at(-1);
      const shared = shareOut(rows, prices, sum);
      ({ sum } = shared);
      const text = csv(shared.priced.map((priced) => rowOf(day, prices, priced)));
      await writeOut(res, text, patienceMs, gone.signal);
      await turn();
    }
  }
  res.end();
  return undefined;
}

async function pricesOf({ services }: Call, day: string): Promise<Prices> {
  return pricesOn(day, await services.metadata.functionRecords.priceTables()) ?? free;
}

const items = ['active-cpu', 'memory', 'invocations', 'pull', 'storage'] as const;
const head = [
  ...['day', 'id', 'service', 'kind', 'deployment', 'instance', 'from', 'to'],
  ...['activeCpuMs', 'memoryMbMs', 'invocations', 'currency', ...items],
];

function rowOf(day: string, { currency }: Prices, priced: PricedEvent): string[] {
  const { event } = priced;
  const view = viewOf(priced);
  const shares = new Map<string, string>(view.amounts.map(({ item, amount }) => [item, amount]));
  return [
    ...[day, event.id, event.service, event.kind, event.deploymentId, event.instanceId ?? ''],
    ...[view.from, view.to, view.activeCpuMs, view.memoryMbMs, view.invocations, currency],
    ...items.map((name) => shares.get(name) ?? ''),
  ];
}

function viewOf({ event, amounts }: PricedEvent) {
  return {
    ...{ id: event.id, deployment: event.deploymentId === '' ? null : event.deploymentId },
    ...{ service: event.service, instance: event.instanceId ?? null, kind: event.kind },
    ...{ from: toTime(event.from), to: toTime(event.to), activeCpuMs: `${event.activeCpuMs}` },
    ...{ memoryMbMs: `${event.memoryMbMs}`, invocations: `${event.invocations}` },
    amounts: amounts.map(({ item, amount }) => ({ item, amount: inCurrency(amount) })),
  };
}
