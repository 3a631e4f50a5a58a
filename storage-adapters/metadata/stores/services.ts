import type { Rewrite, Service, ServiceSettings, Services } from '../../../src/ports/functions.ts';
import { type Executor, query, then } from '../database.ts';
import type { FunctionSchema } from '../schema-functions.ts';

type Row = FunctionSchema['services'];

const byId = query<{ id: string }, Row>((db, p) =>
  db.selectFrom('services').selectAll().where('id', '=', p('id')),
);
const byName = query<{ project: string; name: string }, Row>((db, p) =>
  db
    .selectFrom('services')
    .selectAll()
    .where('project_id', '=', p('project'))
    .where('name', '=', p('name')),
);
const byRepository = query<{ repository: string }, Row>((db, p) =>
  db.selectFrom('services').selectAll().where('repository_id', '=', p('repository')),
);
const ofProject = query<{ project: string }, Row>((db, p) =>
  db.selectFrom('services').selectAll().where('project_id', '=', p('project')).orderBy('name'),
);
const rewrites = query<{ project: string }, { rewrites: string; rewrites_version: number }>(
  (db, p) =>
    db
      .selectFrom('projects')
      .select(['rewrites', 'rewrites_version'])
      .where('id', '=', p('project')),
);

export const toService = (row: Row): Service => ({
  id: row.id,
  projectId: row.project_id,
  name: row.name,
  repositoryId: row.repository_id ?? undefined,
  settings: JSON.parse(row.settings) as ServiceSettings,
  version: row.version,
  paused: row.paused === 1,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
  updatedBy: row.updated_by,
});
const maybe = (row: Row | undefined) => row && toService(row);

export function servicesStore(db: Executor): Services {
  return {
    findById: (id) => then(byId.get(db, { id }), maybe),
    find: (project, name) => then(byName.get(db, { project, name }), maybe),
    findByRepository: (repository) => then(byRepository.get(db, { repository }), maybe),
    list: (project) => then(ofProject.all(db, { project }), (rows) => rows.map(toService)),
    rewrites: (project) =>
      then(rewrites.get(db, { project }), (row) => ({
        rewrites: row ? (JSON.parse(row.rewrites) as Rewrite[]) : [],
        version: row?.rewrites_version ?? 0,
      })),
  };
}
