import { type RawBuilder, sql } from 'kysely';
import type { RecordScope } from '../../../src/ports/function-records.ts';
import { type Query, query } from '../database.ts';

/** What a page is found by: an index for each. */
export type Lead = 'project' | 'service' | 'deployment' | 'instance';

/** The narrowest. */
export function leadOf(scope: RecordScope): Lead {
  if (scope.instanceId !== undefined) return 'instance';
  if (scope.deploymentId !== undefined) return 'deployment';
  return scope.service === undefined ? 'project' : 'service';
}

export interface ScopeArgs {
  project: string;
  deployment: string | undefined;
  service: string | undefined;
  instance: string | undefined;
}

const columns = {
  project: 'project_id',
  service: 'service',
  deployment: 'deployment_id',
  instance: 'instance_id',
} as const;
const led: Readonly<Record<Lead, readonly Lead[]>> = {
  project: ['project'],
  service: ['project', 'service'],
  deployment: ['deployment'],
  instance: ['instance'],
};

/**
 * Rows of the scope. What does not lead is written so that no index serves it: the one that leads also gives
 * the order, and the others would have all of a project sorted.
 */
export function within(
  lead: Lead,
  p: <K extends keyof ScopeArgs>(name: K) => ScopeArgs[K],
): RawBuilder<boolean> {
  const conditions = (Object.keys(columns) as Lead[]).map((name) => {
    const column = sql.ref(columns[name]);
    return led[lead].includes(name)
      ? sql<boolean>`${column} = ${p(name)}`
      : sql<boolean>`coalesce(${column}, '') = coalesce(cast(${p(name)} as text), ${column}, '')`;
  });
  return sql<boolean>`(${sql.join(conditions, sql` and `)})`;
}

type RecordQuery = Query<ScopeArgs & { below: string; limit: number }, { record: string }>;

/** Pages of a table of records, newest first, by what leads. */
export function recordQueries(from: 'function_requests'): Readonly<Record<Lead, RecordQuery>> {
  const page = (lead: Lead): RecordQuery =>
    query((db, p) =>
      db
        .selectFrom(from)
        .select('record')
        .where(within(lead, p))
        .where('id', '<', p('below'))
        .orderBy('id', 'desc')
        .limit(p('limit')),
    );
  return {
    project: page('project'),
    service: page('service'),
    deployment: page('deployment'),
    instance: page('instance'),
  };
}
