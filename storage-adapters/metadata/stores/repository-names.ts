import type { Repositories } from '../../../src/ports/repositories.ts';
import { type Executor, query } from '../database.ts';
import { type ProjectRow, projectGroups } from './project-groups.ts';

const names = query<{ project: string; after: string; limit: number }, { name: string }>((db, p) =>
  db
    .selectFrom('repositories')
    .select('name')
    .where('project_id', '=', p('project'))
    .where('name', '>', p('after'))
    .orderBy('name')
    .limit(p('limit')),
);
const namesOfAll = query<{ projects: string }, { project_id: string; name: string }>(
  (db, p, dialect) =>
    db
      .selectFrom('repositories')
      .select(['project_id', 'name'])
      .where('project_id', 'in', (e) =>
        e.selectFrom(dialect.elements(p('projects')).as('wanted')).select('wanted.value'),
      )
      .orderBy('project_id')
      .orderBy('name'),
);

/**
 * By project, then by name. A large project's names are a range of an index from where the page before ended;
 * projects that fit as a whole are read together. One query over both orders would sort all that there is.
 */
export function listNamesOf(db: Executor): Repositories['listNames'] {
  return async (scope, last, limit) => {
    const found: string[] = [];
    const add = (project: ProjectRow, rows: readonly { name: string }[]) => {
      for (const { name } of rows) found.push(`${project.team}/${project.slug}/${name}`);
    };
    if (limit <= 0) return found;
    let after = last?.repository ?? '';
    const room = () => limit - found.length;
    for await (const group of projectGroups(db, scope, last?.project ?? '', room)) {
      const [first] = group as [ProjectRow];
      const begun = after !== '' && first.slug === last?.project;
      if (group.length === 1) {
        const place = { project: first.id, after: begun ? after : '' };
        add(first, await names.all(db, { ...place, limit: room() }));
      } else {
        const ids = JSON.stringify(group.map(({ id }) => id));
        const byProject = Map.groupBy(
          await namesOfAll.all(db, { projects: ids }),
          (row) => row.project_id,
        );
        for (const project of group) add(project, byProject.get(project.id) ?? []);
      }
      after = '';
      if (room() <= 0) break;
    }
    return found;
  };
}
