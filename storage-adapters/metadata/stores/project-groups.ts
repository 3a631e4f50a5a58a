import { sql } from 'kysely';
import type { CatalogScope } from '../../../src/ports/repositories.ts';
import { type Executor, query } from '../database.ts';

/** Projects of one read. */
const page = 200;

export interface ProjectRow {
  readonly id: string;
  readonly team: string;
  readonly slug: string;
  readonly repository_count: number;
}
const projects = query<
  { team: string; allowed: string | null; from: string; after: string; limit: number },
  ProjectRow
>((db, p, dialect) =>
  db
    .selectFrom('projects as p')
    .innerJoin('teams as t', 't.id', 'p.team_id')
    .select(['p.id', 't.slug as team', 'p.slug', 'p.repository_count'])
    .where('p.team_id', '=', p('team'))
    .where('p.slug', '>=', p('from'))
    .where('p.slug', '>', p('after'))
    .where((e) =>
      e.or([
        e(sql`cast(${p('allowed')} as text)`, 'is', null),
        e(
          'p.id',
          'in',
          e
            .selectFrom(dialect.elements(p('allowed') as string).as('wanted'))
            .select('wanted.value'),
        ),
      ]),
    )
    .orderBy('p.slug')
    .limit(p('limit')),
);

/**
 * Projects by slug, from `from` on, in groups: as many as hold no more than `room` repositories together, or one
 * alone, which may hold any number. So what is in them can be read in parts that are never large. The one of `from`
 * itself goes alone: who left off within it reads only its rest.
 */
export async function* projectGroups(
  db: Executor,
  { teamId: team, projectIds }: CatalogScope,
  from: string,
  room: () => number,
): AsyncGenerator<readonly ProjectRow[]> {
  const allowed = projectIds ? JSON.stringify(projectIds) : null;
  for (let after = ''; ; ) {
    const found = await projects.all(db, { team, allowed, from, after, limit: page });
    let group: ProjectRow[] = [];
    let held = 0;
    for (const project of found) {
      const isFull = held + project.repository_count > room() || group[0]?.slug === from;
      if (group.length > 0 && isFull) {
        yield group;
        group = [];
        held = 0;
      }
      group.push(project);
      held += project.repository_count;
    }
    if (group.length > 0) yield group;
    if (found.length < page) return;
    after = found.at(-1)!.slug;
  }
}
