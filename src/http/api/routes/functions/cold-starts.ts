import { setImmediate as turn } from 'node:timers/promises';
import type { ColdStart } from '../../../../ports/commands-functions.ts';
import type { ColdStartPlace } from '../../../../ports/function-records.ts';
import { limitOf, pageQuery } from '../../paging.ts';
import { type Call, ok, type Route } from '../../route.ts';
import { list, nullable, object, oneOf, page, time, toTime } from '../../schema.ts';
import {
  readRecords as access,
  functionsPath,
  isWithin,
  keyOf,
  scopeFilters,
  scopeOf,
  recordTag as tag,
} from './scope.ts';

const from = {
  ...oneOf('nothing', 'image', 'created', 'frozen'),
  description:
    'What it began from. nothing: the image was pulled first; image: it was there; created: so was the container; frozen: it slept.',
} as const;
const number = { type: 'number' } as const;
const coldStart = object(
  {
    at: { ...time, description: 'When it was ready, or had failed.' },
    deployment: { type: 'string' },
    service: { type: 'string' },
    instance: { type: 'string' },
    digest: { type: 'string' },
    from,
    queueMs: number,
    pullMs: number,
    createMs: number,
    bootMs: { ...number, description: 'From the start of the container until its port listened.' },
    appMs: nullable({
      ...number,
      description: 'Until the first byte of its first answer; null where no request waited for it.',
    }),
    totalMs: number,
    error: nullable({ type: 'string', description: 'Why it failed, where it did.' }),
  },
  { title: 'ColdStart', description: 'Where the time of a start went, in milliseconds.' },
);
const percentiles = object(
  { p50: number, p90: number, p99: number },
  { title: 'Percentiles', description: 'Milliseconds.' },
);
const stages = ['total', 'queue', 'pull', 'create', 'boot', 'app'] as const;
const summary = object(
  {
    starts: { type: 'integer', description: 'How many were looked at: at most the last 10000.' },
    failed: { type: 'integer' },
    byOrigin: list(
      object(
        {
          ...{ from, starts: { type: 'integer' } },
          stages: object(Object.fromEntries(stages.map((name) => [name, nullable(percentiles)])), {
            title: 'ColdStartStages',
            description: 'Null where none had it.',
          }),
        },
        { title: 'ColdStartsOfOrigin' },
      ),
    ),
  },
  { title: 'ColdStartSummary' },
);

const mostScanned = 5000;
const mostSummed = 10_000;
const chunk = 500;
const since = { ...time, description: 'Not before this moment.' };

/** Why the first request took longer. */
export const coldStartRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: `${functionsPath}/cold-starts`,
    operationId: 'listColdStarts',
    ...{ tag, access },
    summary: 'Starts and thaws of instances with where their time went, the newest first.',
    description:
      'A page may hold fewer items than asked for, or none, and still have a next one: go on until next is null.',
    query: pageQuery(scopeFilters),
    replies: { 200: { description: 'A page.', schema: page(coldStart, 'ColdStarts') } },
    async handle(call) {
      const { cursors } = call.services;
      const key = `cold-starts:${keyOf(scopeOf(call))}`;
      const given = cursors.read(key, call.query.cursor);
      const before = given && { at: Number(given[0]), instanceId: String(given[1]) };
      const limit = limitOf(call);
      const { found, last } = await scan(call, before, { limit, most: mostScanned, since: 0 });
      return ok({
        items: found.map(viewOf),
        next: last ? cursors.sign(key, [last.at, last.instanceId]) : null,
      });
    },
  },
  {
    method: 'GET',
    path: `${functionsPath}/cold-starts/summary`,
    operationId: 'sumColdStarts',
    ...{ tag, access },
    summary: 'Percentiles of the stages of starts, by what they began from.',
    query: object(
      { ...scopeFilters, since },
      { optional: [...Object.keys(scopeFilters), 'since'] },
    ),
    replies: { 200: { description: 'The percentiles.', schema: summary } },
    async handle(call) {
      const { query } = call;
      const { found } = await scan(call, undefined, {
        ...{ limit: mostSummed, most: mostSummed },
        since: query.since === undefined ? 0 : Date.parse(String(query.since)),
      });
      return ok(summaryOf(found));
    },
  },
];

/** Those that the query wants. `last`: where to go on. */
async function scan(
  call: Call,
  before: ColdStartPlace | undefined,
  { limit, most, since }: { limit: number; most: number; since: number },
): Promise<{ found: ColdStart[]; last: ColdStartPlace | undefined }> {
  const { functionRecords } = call.services.metadata;
  const scope = scopeOf(call);
  const found: ColdStart[] = [];
  let place = before;
  for (let scanned = 0; scanned < most; scanned += chunk) {
    const rows = await functionRecords.coldStarts(
      { projectId: scope.projectId, since },
      place,
      chunk,
    );
    for (const row of rows) {
      if (found.length === limit) return { found, last: place };
      place = row;
      if (isWithin(scope, row)) found.push(row);
    }
    if (rows.length < chunk) return { found, last: undefined };
    await turn();
  }
  return { found, last: place };
}

const totalOf = (start: ColdStart): number =>
  start.queueMs + start.pullMs + start.createMs + start.bootMs + (start.appMs ?? 0);

function viewOf(start: ColdStart) {
  return {
    ...{ at: toTime(start.at), deployment: start.deploymentId, service: start.service },
    ...{ instance: start.instanceId, digest: start.digest, from: start.from },
    ...{ queueMs: start.queueMs, pullMs: start.pullMs, createMs: start.createMs },
    ...{ bootMs: start.bootMs, appMs: start.appMs ?? null, totalMs: totalOf(start) },
    error: start.error ?? null,
  };
}

function summaryOf(starts: readonly ColdStart[]) {
  const good = starts.filter(({ error }) => error === undefined);
  const byOrigin = [...Map.groupBy(good, (start) => start.from)].map(([origin, of]) => ({
    ...{ from: origin, starts: of.length },
    stages: {
      total: percentilesOf(of.map(totalOf)),
      queue: percentilesOf(of.map(({ queueMs }) => queueMs)),
      pull: percentilesOf(of.map(({ pullMs }) => pullMs)),
      create: percentilesOf(of.map(({ createMs }) => createMs)),
      boot: percentilesOf(of.map(({ bootMs }) => bootMs)),
      app: percentilesOf(of.flatMap(({ appMs }) => (appMs === undefined ? [] : [appMs]))),
    },
  }));
  return { starts: starts.length, failed: starts.length - good.length, byOrigin };
}

/** Nearest rank. */
function percentilesOf(values: readonly number[]) {
  if (values.length === 0) return null;
  const sorted = values.toSorted((a, b) => a - b);
  const at = (part: number) => sorted[Math.ceil(sorted.length * part) - 1]!;
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99) };
}
