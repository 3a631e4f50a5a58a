import type { FunctionVolume, FunctionVolumes } from '../../../src/ports/functions.ts';
import { type Executor, query, then } from '../database.ts';
import type { FunctionSchema } from '../schema-functions.ts';

type Row = FunctionSchema['function_volumes'];

const find = query<{ project: string; name: string }, Row>((db, p) =>
  db
    .selectFrom('function_volumes')
    .selectAll()
    .where('project_id', '=', p('project'))
    .where('name', '=', p('name')),
);
const list = query<{ project: string }, Row>((db, p) =>
  db
    .selectFrom('function_volumes')
    .selectAll()
    .where('project_id', '=', p('project'))
    .orderBy('name'),
);

const limited = query<object, { id: string; max_bytes: number | null }>((db) =>
  db
    .selectFrom('function_volumes')
    .select(['id', 'max_bytes'])
    .where('max_bytes', 'is not', null)
    .orderBy('id'),
);
const existing = query<{ ids: string }, { id: string }>((db, p, dialect) =>
  db
    .selectFrom('function_volumes')
    .select('id')
    .where('id', 'in', (e) =>
      e.selectFrom(dialect.elements(p('ids')).as('wanted')).select('wanted.value'),
    ),
);

const removed = query<{ ids: string }, { id: string }>((db, p, dialect) =>
  db
    .selectFrom('removed_volumes')
    .select('id')
    .where('id', 'in', (e) =>
      e.selectFrom(dialect.elements(p('ids')).as('wanted')).select('wanted.value'),
    ),
);

export const toVolume = (row: Row): FunctionVolume => ({
  id: row.id,
  projectId: row.project_id,
  name: row.name,
  kind: row.kind as FunctionVolume['kind'],
  bucket: row.bucket === null ? undefined : (JSON.parse(row.bucket) as FunctionVolume['bucket']),
  maxBytes: row.max_bytes ?? undefined,
  createdAt: row.created_at,
  createdBy: row.created_by,
});

export function volumesStore(db: Executor): FunctionVolumes {
  return {
    find: (project, name) => then(find.get(db, { project, name }), (row) => row && toVolume(row)),
    list: (project) => then(list.all(db, { project }), (rows) => rows.map(toVolume)),
    limited: () =>
      then(limited.all(db, {}), (rows) =>
        rows.map(({ id, max_bytes }) => ({ id, maxBytes: max_bytes! })),
      ),
    existing: (ids) =>
      then(existing.all(db, { ids: JSON.stringify(ids) }), (rows) => rows.map(({ id }) => id)),
    removed: (ids) =>
      then(removed.all(db, { ids: JSON.stringify(ids) }), (rows) => rows.map(({ id }) => id)),
  };
}
