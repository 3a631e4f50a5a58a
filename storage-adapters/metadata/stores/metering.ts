import { sql } from 'kysely';
import type { MeteringEvent } from '../../../src/ports/commands-functions.ts';
import type { FunctionRecords } from '../../../src/ports/function-records.ts';
import { type Executor, query, then } from '../database.ts';
import type { FunctionSchema } from '../schema-functions.ts';

interface Place {
  project: string;
  day: string;
  service: string;
  kind: string;
  id: string;
  limit: number;
}
const events = query<Place, FunctionSchema['metering_events']>((db, p) =>
  db
    .selectFrom('metering_events')
    .selectAll()
    .where('project_id', '=', p('project'))
    .where('day', '=', p('day'))
    .where('service', '>=', p('service'))
    .where((e) =>
      e.or([
        e('service', '>', p('service')),
        e('kind', '>', p('kind')),
        e.and([e('kind', '=', p('kind')), e('id', '>', p('id'))]),
      ]),
    )
    .orderBy('service')
    .orderBy('kind')
    .orderBy('id')
    .limit(p('limit')),
);
interface Sum {
  day: string;
  service: string;
  kind: string;
  cpu: string;
  memory: string;
  invocations: string;
  events: number;
}
/** Sums as texts: they may be greater than what numbers hold. */
const total = (column: 'active_cpu_ms' | 'memory_mb_ms' | 'invocations') =>
  sql<string>`cast(sum(${sql.ref(column)}) as text)`;
const sums = query<{ project: string; first: string; last: string }, Sum>((db, p) =>
  db
    .selectFrom('metering_events')
    .select((e) => [
      'day',
      'service',
      'kind',
      total('active_cpu_ms').as('cpu'),
      total('memory_mb_ms').as('memory'),
      total('invocations').as('invocations'),
      e.fn.countAll<number>().as('events'),
    ])
    .where('project_id', '=', p('project'))
    .where('day', '>=', p('first'))
    .where('day', '<=', p('last'))
    .groupBy(['day', 'service', 'kind'])
    .orderBy('day')
    .orderBy('service')
    .orderBy('kind'),
);

const toEvent = (row: FunctionSchema['metering_events']): MeteringEvent => ({
  id: row.id,
  projectId: row.project_id,
  deploymentId: row.deployment_id,
  service: row.service,
  instanceId: row.instance_id ?? undefined,
  kind: row.kind as MeteringEvent['kind'],
  from: row.from_at,
  to: row.to_at,
  activeCpuMs: row.active_cpu_ms,
  memoryMbMs: row.memory_mb_ms,
  invocations: row.invocations,
});

export function meteringReads(db: Executor): Pick<FunctionRecords, 'usage' | 'usageByDay'> {
  return {
    usage: ({ projectId: project, day }, after, limit) =>
      then(
        events.all(db, { ...{ project, day, service: '', kind: '', id: '' }, ...after, limit }),
        (rows) => rows.map(toEvent),
      ),
    usageByDay: ({ projectId: project, firstDay: first, lastDay: last }) =>
      then(sums.all(db, { project, first, last }), (rows) =>
        rows.map((row) => ({
          ...{ day: row.day, service: row.service, kind: row.kind as MeteringEvent['kind'] },
          activeCpuMs: BigInt(row.cpu),
          memoryMbMs: BigInt(row.memory),
          invocations: BigInt(row.invocations),
          events: Number(row.events),
        })),
      ),
  };
}
