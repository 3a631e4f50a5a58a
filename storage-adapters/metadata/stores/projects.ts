import type { Project, ProjectSettings, Projects } from '../../../src/ports/projects.ts';
import type { PlanName } from '../../../src/ports/teams.ts';
import { type Executor, query, then } from '../database.ts';
import type { Builder, Schema } from '../schema.ts';

type Row = Schema['projects'] & { team_slug: string; plan: string; team_functions: number };

const joined = (db: Builder) =>
  db
    .selectFrom('projects as p')
    .innerJoin('teams as t', 't.id', 'p.team_id')
    .selectAll('p')
    .select(['t.slug as team_slug', 't.plan', 't.functions as team_functions']);

const bySlugs = query<{ team: string; project: string }, Row>((db, p) =>
  joined(db).where('t.slug', '=', p('team')).where('p.slug', '=', p('project')),
);
const byTeam = query<{ team: string }, Row>((db, p) =>
  joined(db).where('p.team_id', '=', p('team')).orderBy('p.slug'),
);

const byIds = query<{ ids: string }, Row>((db, p, dialect) =>
  joined(db).where('p.id', 'in', (e) =>
    e.selectFrom(dialect.elements(p('ids')).as('wanted')).select('wanted.value'),
  ),
);
const page = query<{ team: string; after: string; limit: number }, Row>((db, p) =>
  joined(db)
    .where('p.team_id', '=', p('team'))
    .where('p.slug', '>', p('after'))
    .orderBy('p.slug')
    .limit(p('limit')),
);
const pageOf = query<{ team: string; ids: string; after: string; limit: number }, Row>(
  (db, p, dialect) =>
    joined(db)
      .where('p.team_id', '=', p('team'))
      .where('p.id', 'in', (e) =>
        e.selectFrom(dialect.elements(p('ids')).as('wanted')).select('wanted.value'),
      )
      .where('p.slug', '>', p('after'))
      .orderBy('p.slug')
      .limit(p('limit')),
);

const toProject = (row: Row): Project => ({
  id: row.id,
  teamId: row.team_id,
  teamSlug: row.team_slug,
  slug: row.slug,
  plan: row.plan as PlanName,
  ...(row.team_functions === 0 && { teamFunctions: false }),
  settings: JSON.parse(row.settings) as ProjectSettings,
  createdAt: row.created_at,
});

export function projectsStore(db: Executor): Projects {
  return {
    findBySlugs: (team, project) =>
      then(bySlugs.get(db, { team, project }), (row) => row && toProject(row)),
    findByIds: (ids) =>
      then(byIds.all(db, { ids: JSON.stringify(ids) }), (rows) => rows.map(toProject)),
    page: ({ teamId: team, ids }, after = '', limit) =>
      then(
        ids === undefined
          ? page.all(db, { team, after, limit })
          : pageOf.all(db, { team, ids: JSON.stringify(ids), after, limit }),
        (rows) => rows.map(toProject),
      ),
    listByTeam: (team) => then(byTeam.all(db, { team }), (rows) => rows.map(toProject)),
  };
}
