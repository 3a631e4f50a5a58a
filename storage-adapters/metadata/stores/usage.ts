import { sql } from 'kysely';
import type { PlanName } from '../../../src/ports/teams.ts';
import type { PushUsage, Usage, UsageCounts } from '../../../src/ports/usage.ts';
import { type Executor, query, then } from '../database.ts';

interface Scope {
  team: string;
  /** Null: all of the team. */
  project: string | null;
}
/** Sums are null where there is nothing to add up. */
type Sums<T> = { [K in keyof T]: T[K] | null };

interface Held {
  projects: number;
  repositories: number;
  stored: number;
  most_repositories: number;
}
const ofProjects = query<Scope, Sums<Held>>((db, p) =>
  db
    .selectFrom('projects')
    .select((e) => [
      e.fn.countAll<number>().as('projects'),
      e.fn.sum<number>('repository_count').as('repositories'),
      e.fn.sum<number>('stored_bytes').as('stored'),
      e.fn.max('repository_count').as('most_repositories'),
    ])
    .where('team_id', '=', p('team'))
    .where((e) =>
      e.or([
        e(sql`cast(${p('project')} as text)`, 'is', null),
        e('id', '=', sql<string>`${p('project')}`),
      ]),
    ),
);
interface Inside {
  images: number;
  tags: number;
  most_images: number;
  most_tags: number;
}
const ofRepositories = query<Scope, Sums<Inside>>((db, p) =>
  db
    .selectFrom('projects as p')
    .innerJoin('repositories as r', 'r.project_id', 'p.id')
    .select((e) => [
      e.fn.sum<number>('r.image_count').as('images'),
      e.fn.sum<number>('r.tag_count').as('tags'),
      e.fn.max('r.image_count').as('most_images'),
      e.fn.max('r.tag_count').as('most_tags'),
    ])
    .where('p.team_id', '=', p('team'))
    .where((e) =>
      e.or([
        e(sql`cast(${p('project')} as text)`, 'is', null),
        e('p.id', '=', sql<string>`${p('project')}`),
      ]),
    ),
);
const moved = query<Scope & { month: string }, Sums<{ pulled: number; pushed: number }>>((db, p) =>
  db
    .selectFrom('projects as p')
    .innerJoin('transfer as t', 't.project_id', 'p.id')
    .select((e) => [
      e.fn.sum<number>('t.pulled_bytes').as('pulled'),
      e.fn.sum<number>('t.pushed_bytes').as('pushed'),
    ])
    .where('p.team_id', '=', p('team'))
    .where('t.month', '=', p('month'))
    .where((e) =>
      e.or([
        e(sql`cast(${p('project')} as text)`, 'is', null),
        e('p.id', '=', sql<string>`${p('project')}`),
      ]),
    ),
);
const ofPush = query<
  { repository: string },
  { repositories: number; images: number; tags: number; team: string }
>((db, p) =>
  db
    .selectFrom('repositories as r')
    .innerJoin('projects as p', 'p.id', 'r.project_id')
    .select([
      'p.repository_count as repositories',
      'r.image_count as images',
      'r.tag_count as tags',
      'p.team_id as team',
    ])
    .where('r.id', '=', p('repository')),
);
const pulled = query<{ month: string }, { team: string; plan: string; bytes: number }>((db, p) =>
  db
    .selectFrom('transfer as t')
    .innerJoin('projects as p', 'p.id', 't.project_id')
    .innerJoin('teams as m', 'm.id', 'p.team_id')
    .select((e) => ['m.id as team', 'm.plan', e.fn.sum<number>('t.pulled_bytes').as('bytes')])
    .where('t.month', '=', p('month'))
    .groupBy(['m.id', 'm.plan']),
);

/** Databases over a network give sums as text. */
const number = (value: number | null | undefined): number => Number(value ?? 0);

export function usageStore(db: Executor): Usage {
  const storedOf = (team: string) =>
    then(ofProjects.get(db, { team, project: null }), (row) => number(row?.stored));
  return {
    async counts({ teamId: team, projectId: project = null }, month): Promise<UsageCounts> {
      const held = await ofProjects.get(db, { team, project });
      const inside = await ofRepositories.get(db, { team, project });
      const transfer = await moved.get(db, { team, project, month });
      return {
        projects: number(held?.projects),
        repositories: number(held?.repositories),
        images: number(inside?.images),
        tags: number(inside?.tags),
        storedBytes: number(held?.stored),
        pulledBytes: number(transfer?.pulled),
        pushedBytes: number(transfer?.pushed),
        most: {
          repositories: number(held?.most_repositories),
          images: number(inside?.most_images),
          tags: number(inside?.most_tags),
        },
      };
    },
    async ofPush(repository): Promise<PushUsage | undefined> {
      const row = await ofPush.get(db, { repository });
      if (!row) return undefined;
      const { team, ...counts } = row;
      return { ...counts, storedBytes: await storedOf(team) };
    },
    storedBytes: storedOf,
    pulled: (month) =>
      then(pulled.all(db, { month }), (rows) =>
        rows.map(({ team: teamId, plan, bytes }) => ({
          ...{ teamId, plan: plan as PlanName, bytes: number(bytes) },
        })),
      ),
  };
}
