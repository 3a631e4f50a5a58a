import { sql } from 'kysely';
import type { Repositories, Repository, Visibility } from '../../../src/ports/repositories.ts';
import { type Executor, query, then } from '../database.ts';
import type { Builder } from '../schema.ts';
import { repositoryLists } from './repository-lists.ts';

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

interface NamesArgs {
  team: string;
  projects: string | null;
  lastProject: string;
  lastName: string;
  limit: number;
}

/** By project, then by name: the order of the indexes, so a page is a range of them and nothing is sorted. */
const names = query<NamesArgs, { team: string; project: string; name: string }>((db, p, dialect) =>
  db
    .selectFrom('projects as p')
    .innerJoin('teams as t', 't.id', 'p.team_id')
    .innerJoin('repositories as r', 'r.project_id', 'p.id')
    .select(['t.slug as team', 'p.slug as project', 'r.name'])
    .where('p.team_id', '=', p('team'))
    .where('p.slug', '>=', p('lastProject'))
    .where((e) => e.or([e('p.slug', '>', p('lastProject')), e('r.name', '>', p('lastName'))]))
    .where((e) =>
      e.or([
        e(sql`cast(${p('projects')} as text)`, 'is', null),
        e(
          'p.id',
          'in',
          e
            .selectFrom(dialect.elements(p('projects') as string).as('allowed'))
            .select('allowed.value'),
        ),
      ]),
    )
    .orderBy('p.slug')
    .orderBy('r.name')
    .limit(p('limit')),
);

export function repositoriesStore(db: Executor): Repositories {
  return {
    ...repositoryLists(db),
    find: (path) => then(find.get(db, path), (row) => row && toRepository(row)),
    listNames: (scope, last, limit) =>
      then(
        names.all(db, {
          team: scope.teamId,
          projects: scope.projectIds ? JSON.stringify(scope.projectIds) : null,
          lastProject: last?.project ?? '',
          lastName: last?.repository ?? '',
          limit,
        }),
        (rows) => rows.map((row) => `${row.team}/${row.project}/${row.name}`),
      ),
  };
}
