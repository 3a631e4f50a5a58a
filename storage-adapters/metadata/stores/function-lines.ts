import { type Query, query } from '../database.ts';
import type { FunctionSchema } from '../schema-functions.ts';
import { type Lead, type ScopeArgs, within } from './record-queries.ts';

export type LineRow = FunctionSchema['function_lines'];

export interface LineArgs extends ScopeArgs {
  above: string;
  below: string;
  /** Of LIKE, of the JSON list of requests. */
  pattern: string;
  limit: number;
}
type LineQuery = Query<LineArgs, LineRow>;

const page = (lead: Lead, order: 'asc' | 'desc'): LineQuery =>
  query((db, p) =>
    db
      .selectFrom('function_lines')
      .selectAll()
      .where(within(lead, p))
      .where('id', '>', p('above'))
      .where('id', '<', p('below'))
      .where('request_ids', 'like', p('pattern'))
      .orderBy('id', order)
      .limit(p('limit')),
  );

const byLead = (order: 'asc' | 'desc'): Readonly<Record<Lead, LineQuery>> => ({
  project: page('project', order),
  service: page('service', order),
  deployment: page('deployment', order),
  instance: page('instance', order),
});

/** Pages of lines, oldest first and newest first. */
export const lineQueries = { after: byLead('asc'), before: byLead('desc') } as const;
