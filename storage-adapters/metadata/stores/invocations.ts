import type { FunctionEnvironment } from '../../../src/ports/functions.ts';
import type {
  Invocation,
  InvocationResult,
  InvocationState,
  Invocations,
} from '../../../src/ports/invocations.ts';
import { type Executor, query, then } from '../database.ts';
import type { FunctionSchema } from '../schema-functions.ts';

export type InvocationRow = FunctionSchema['function_invocations'];
type Shown = Omit<InvocationRow, 'payload'>;

const shown = [
  'id',
  'project_id',
  'service',
  'environment',
  'name',
  'state',
  'attempts',
  'run_at',
  'content_type',
  'result',
  'error',
  'created_at',
  'created_by',
  'finished_at',
] as const;

const find = query<{ project: string; id: string }, Shown>((db, p) =>
  db
    .selectFrom('function_invocations')
    .select(shown)
    .where('id', '=', p('id'))
    .where('project_id', '=', p('project')),
);
interface PageArgs {
  project: string;
  service: string;
  before: string;
  limit: number;
}
const page = query<PageArgs, Shown>((db, p) =>
  db
    .selectFrom('function_invocations')
    .select(shown)
    .where('project_id', '=', p('project'))
    .where('service', '=', p('service'))
    .where('id', '<', p('before'))
    .orderBy('id', 'desc')
    .limit(p('limit')),
);
const next = query<{ state: string }, { run_at: number }>((db, p) =>
  db
    .selectFrom('function_invocations')
    .select('run_at')
    .where('state', '=', p('state'))
    .orderBy('run_at')
    .limit(1),
);

export const toInvocation = (row: Shown): Invocation => ({
  id: row.id,
  projectId: row.project_id,
  service: row.service,
  environment: row.environment as FunctionEnvironment,
  name: row.name,
  state: row.state as InvocationState,
  attempts: row.attempts,
  runAt: row.run_at,
  contentType: row.content_type ?? undefined,
  result: row.result === null ? undefined : (JSON.parse(row.result) as InvocationResult),
  error: row.error ?? undefined,
  createdAt: row.created_at,
  createdBy: row.created_by,
  finishedAt: row.finished_at ?? undefined,
});

/** Behind every id. */
const last = '~';

export function invocationsStore(db: Executor): Invocations {
  return {
    find: (project, id) => then(find.get(db, { project, id }), (row) => row && toInvocation(row)),
    page: ({ projectId: project, service }, before = last, limit) =>
      then(page.all(db, { project, service, before, limit }), (rows) => rows.map(toInvocation)),
    async nextRunAt() {
      const queued = await next.get(db, { state: 'queued' });
      const running = await next.get(db, { state: 'running' });
      const times = [queued, running].flatMap((row) => (row ? [row.run_at] : []));
      return times.length > 0 ? Math.min(...times) : undefined;
    },
  };
}
