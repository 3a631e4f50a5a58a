import { sql } from 'kysely';
import type {
  Sandbox,
  Sandboxes,
  SandboxSpec,
  SandboxState,
} from '../../../src/ports/sandboxes.ts';
import { type Executor, query, then } from '../database.ts';
import type { FunctionSchema } from '../schema-functions.ts';

type Row = FunctionSchema['sandboxes'];

const find = query<{ id: string }, Row>((db, p) =>
  db.selectFrom('sandboxes').selectAll().where('id', '=', p('id')),
);
interface PageArgs {
  project: string;
  state: string | null;
  before: string;
  limit: number;
}
const page = query<PageArgs, Row>((db, p) =>
  db
    .selectFrom('sandboxes')
    .selectAll()
    .where('project_id', '=', p('project'))
    .where('id', '<', p('before'))
    .where((e) =>
      e.or([
        e(sql`cast(${p('state')} as text)`, 'is', null),
        e('state', '=', p('state') as string),
      ]),
    )
    .orderBy('id', 'desc')
    .limit(p('limit')),
);
const open = query<object, Row>((db) =>
  db
    .selectFrom('sandboxes')
    .selectAll()
    .where('state', 'in', ['starting', 'running'])
    .orderBy('id'),
);

const toSandbox = (row: Row): Sandbox => ({
  id: row.id,
  projectId: row.project_id,
  spec: JSON.parse(row.spec) as SandboxSpec,
  state: row.state as SandboxState,
  reason: row.reason ?? undefined,
  createdAt: row.created_at,
  createdBy: row.created_by,
  expiresAt: row.expires_at,
  endedAt: row.ended_at ?? undefined,
});

/** Behind every id. */
const last = '~';

export function sandboxesStore(db: Executor): Sandboxes {
  return {
    find: (id) => then(find.get(db, { id }), (row) => row && toSandbox(row)),
    page: ({ projectId: project, state = null }, before = last, limit) =>
      then(page.all(db, { project, state, before, limit }), (rows) => rows.map(toSandbox)),
    open: () => then(open.all(db, {}), (rows) => rows.map(toSandbox)),
  };
}
