import { sql } from 'kysely';
import type {
  ColdStart,
  FunctionLogLine,
  RequestRecord,
} from '../../../src/ports/commands-functions.ts';
import {
  type FunctionRecords,
  firstIdAt,
  type Prices,
  type RecordPlace,
  type RecordScope,
} from '../../../src/ports/function-records.ts';
import { type Executor, query, then } from '../database.ts';
import { type LineRow, lineQueries } from './function-lines.ts';
import { meteringReads } from './metering.ts';
import { leadOf, recordQueries } from './record-queries.ts';

const requestPages = recordQueries('function_requests');
const request = query<{ id: string; project: string }, { record: string }>((db, p) =>
  db
    .selectFrom('function_requests')
    .select('record')
    .where('id', '=', p('id'))
    .where('project_id', '=', p('project')),
);
interface Starts {
  project: string;
  deployment: string | undefined;
  service: string | undefined;
  instance: string | undefined;
  since: number;
  at: number;
  below: string;
  limit: number;
}
const coldStarts = query<Starts, { record: string }>((db, p) =>
  db
    .selectFrom('cold_starts')
    .select('record')
    .where('project_id', '=', p('project'))
    .where('at', '>=', p('since'))
    .where('at', '<=', p('at'))
    .where((e) => e.or([e('at', '<', p('at')), e('instance_id', '<', p('below'))]))
    .where(sql<boolean>`deployment_id = coalesce(cast(${p('deployment')} as text), deployment_id)`)
    .where(sql<boolean>`service = coalesce(cast(${p('service')} as text), service)`)
    .where(sql<boolean>`instance_id = coalesce(cast(${p('instance')} as text), instance_id)`)
    .orderBy('at', 'desc')
    .orderBy('instance_id', 'desc')
    .limit(p('limit')),
);
const stored = query<object, { projectId: string; bytes: number }>((db) =>
  db
    .selectFrom('projects')
    .select(['id as projectId', 'stored_bytes as bytes'])
    .where('stored_bytes', '>', 0)
    .orderBy('id'),
);
const prices = query<object, { from_day: string; prices: string }>((db) =>
  db.selectFrom('price_tables').selectAll().orderBy('from_day'),
);

/** After every id. */
const end = '~';
/** How long after a request's end its last lines may have been taken. */
const lateLinesMs = 120_000;

const parsed = <T>(rows: readonly { record: string }[]): T[] =>
  rows.map(({ record }) => JSON.parse(record) as T);

const toLine = (row: LineRow): FunctionLogLine => ({
  id: row.id,
  projectId: row.project_id,
  deploymentId: row.deployment_id,
  service: row.service,
  instanceId: row.instance_id,
  at: row.at,
  stream: row.stream as FunctionLogLine['stream'],
  text: row.text,
  requestIds: JSON.parse(row.request_ids) as string[],
});

function rangeOf(place: RecordPlace): { above: string; below: string; oldestFirst: boolean } {
  return 'after' in place
    ? { above: place.after, below: end, oldestFirst: true }
    : { above: '', below: place.before ?? end, oldestFirst: false };
}

export function functionRecordsStore(db: Executor): FunctionRecords {
  const args = ({ projectId, deploymentId, service, instanceId }: RecordScope) => ({
    ...{ project: projectId, deployment: deploymentId, service, instance: instanceId },
  });
  const find = (project: string, id: string) =>
    then(request.get(db, { project, id }), (row) =>
      row ? parsed<RequestRecord>([row])[0] : undefined,
    );
  const lines = (
    scope: RecordScope,
    place: RecordPlace,
    limit: number,
    of?: { pattern: string; from: string; to: string },
  ) => {
    const { above, below, oldestFirst } = rangeOf(place);
    const pages = lineQueries[oldestFirst ? 'after' : 'before'];
    const range = of
      ? { above: above > of.from ? above : of.from, below: below < of.to ? below : of.to }
      : { above, below };
    const found = pages[leadOf(scope)].all(db, {
      ...{ ...args(scope), ...range, limit, pattern: of?.pattern ?? '%' },
    });
    return then(found, (rows) => rows.map(toLine));
  };
  return {
    ...meteringReads(db),
    lines({ requestId, ...scope }, place, limit) {
      if (requestId === undefined) return lines(scope, place, limit);
      const pattern = `%"${requestId}"%`;
      return then(find(scope.projectId, requestId), (found) => {
        // Not written yet: it is under way, or there is none. Its id says when it began.
        const began = /^[a-z]+_([0-9a-f]{12})/.exec(requestId)?.[1] ?? '';
        const to = found ? firstIdAt('log', found.at + found.totalMs + lateLinesMs) : end;
        const narrowed = { ...scope, instanceId: scope.instanceId ?? found?.instanceId };
        const of = { pattern, from: `log_${began}`, to };
        return lines(narrowed, place, limit, of) as FunctionLogLine[];
      });
    },
    requests: (scope, before, limit) =>
      then(
        requestPages[leadOf(scope)].all(db, { ...args(scope), below: before ?? end, limit }),
        (rows) => parsed<RequestRecord>(rows),
      ),
    request: find,
    coldStarts: ({ since = 0, ...scope }, before, limit) =>
      then(
        coldStarts.all(db, {
          ...{ ...args(scope), since, limit },
          ...{ at: before?.at ?? Number.MAX_SAFE_INTEGER, below: before?.instanceId ?? '' },
        }),
        (rows) => parsed<ColdStart>(rows),
      ),
    storedByProject: () => stored.all(db, {}),
    priceTables: () =>
      then(prices.all(db, {}), (rows) =>
        rows.map((row) => ({ fromDay: row.from_day, prices: JSON.parse(row.prices) as Prices })),
      ),
  };
}
