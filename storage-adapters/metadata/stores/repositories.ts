import type { Repositories, Repository, Visibility } from '../../../src/ports/repositories.ts';
import { type Executor, query, then } from '../database.ts';
import type { Builder } from '../schema.ts';
import { repositoryLists } from './repository-lists.ts';
import { listNamesOf } from './repository-names.ts';

export interface RepositoryColumns {
  repository_id: string;
  project_id: string;
  team_id: string;
  name: string;
  visibility: string;
}

/** From a full name to its repository: three look-ups in unique indexes. */
export const byPath = (db: Builder, path: { team: string; project: string; repository: string }) =>
  db
    .selectFrom('teams as t')
    .innerJoin('projects as p', (j) =>
      j.onRef('p.team_id', '=', 't.id').on('p.slug', '=', path.project),
    )
    .innerJoin('repositories as r', (j) =>
      j.onRef('r.project_id', '=', 'p.id').on('r.name', '=', path.repository),
    )
    .where('t.slug', '=', path.team)
    .select(['r.id as repository_id', 'r.project_id', 'p.team_id', 'r.name', 'r.visibility']);

export const toRepository = (row: RepositoryColumns): Repository => ({
  id: row.repository_id,
  teamId: row.team_id,
  projectId: row.project_id,
  name: row.name,
  visibility: row.visibility as Visibility,
});

const find = query<{ team: string; project: string; repository: string }, RepositoryColumns>(
  (db, p) => byPath(db, { team: p('team'), project: p('project'), repository: p('repository') }),
);

export function repositoriesStore(db: Executor): Repositories {
  return {
    ...repositoryLists(db),
    find: (path) => then(find.get(db, path), (row) => row && toRepository(row)),
    listNames: listNamesOf(db),
  };
}
