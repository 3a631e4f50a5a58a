import { type ExpressionBuilder, sql } from 'kysely';
import { Kept, type Reading } from '../../../src/ports/kept.ts';
import type { PlanName } from '../../../src/ports/teams.ts';
import type { PushUsage, Usage, UsageCounts } from '../../../src/ports/usage.ts';
import { type Executor, query, then } from '../database.ts';
import type { Schema } from '../schema.ts';
import { type ProjectRow, projectGroups } from './project-groups.ts';

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
const sums = (e: ExpressionBuilder<{ r: Counted }, 'r'>) => [
  e.fn.sum<number>('r.image_count').as('images'),
  e.fn.sum<number>('r.tag_count').as('tags'),
  e.fn.max('r.image_count').as('most_images'),
  e.fn.max('r.tag_count').as('most_tags'),
];
type Counted = Pick<Schema['repositories'], 'name' | 'image_count' | 'tag_count'>;
const ofGroup = query<{ projects: string }, Sums<Inside>>((db, p, dialect) =>
  db
    .selectFrom('repositories as r')
    .select((e) => sums(e as never))
    .where('r.project_id', 'in', (e) =>
      e.selectFrom(dialect.elements(p('projects')).as('wanted')).select('wanted.value'),
    ),
);
type Range = Sums<Inside> & { last: string | null };
const ofRange = query<{ project: string; after: string; limit: number }, Range>((db, p) =>
  db
    .selectFrom((e) =>
      e
        .selectFrom('repositories')
        .select(['name', 'image_count', 'tag_count'])
        .where('project_id', '=', p('project'))
        .where('name', '>', p('after'))
        .orderBy('name')
        .limit(p('limit'))
        .as('r'),
    )
    .select((e) => [...sums(e as never), e.fn.max('r.name').as('last')]),
);

/** Repositories of one read: others are let through between two. */
const looked = 2_000;

async function countInside(db: Executor, { team, project }: Scope): Promise<Reading<Inside>> {
  const value = { images: 0, tags: 0, most_images: 0, most_tags: 0 };
  let rows = 0;
  const add = async (row: Sums<Inside> | undefined) => {
    value.images += number(row?.images);
    value.tags += number(row?.tags);
    value.most_images = Math.max(value.most_images, number(row?.most_images));
    value.most_tags = Math.max(value.most_tags, number(row?.most_tags));
    await new Promise((resolve) => setImmediate(resolve));
  };
  const scope = { teamId: team, projectIds: project === null ? undefined : [project] };
  for await (const group of projectGroups(db, scope, '', () => looked)) {
    const [first] = group as [ProjectRow];
    rows += group.reduce((sum, one) => sum + one.repository_count, 0);
    if (group.length > 1 || first.repository_count <= looked) {
      await add(await ofGroup.get(db, { projects: JSON.stringify(group.map(({ id }) => id)) }));
      continue;
    }
    for (let after: string | null = ''; after !== null; ) {
      const place = { project: first.id, after, limit: looked };
      const row: Range | undefined = await ofRange.get(db, place);
      await add(row);
      after = row?.last ?? null;
    }
  }
  return { value, rows };
}

/** Scopes whose counts are kept. */
const mostKept = 1_000;

/** Counts of what is in repositories; of many repositories, as of a moment ago. */
function insideOf(db: Executor): (scope: Scope) => Promise<Inside> {
  const kept = new Map<string, Kept<Inside>>();
  return (scope) => {
    const key = `${scope.team} ${scope.project ?? ''}`;
    const one = kept.get(key) ?? new Kept(() => countInside(db, scope));
    kept.delete(key);
    kept.set(key, one);
    const [oldest] = kept.keys();
    if (kept.size > mostKept && oldest !== undefined) kept.delete(oldest);
    return one.get();
  };
}

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
  const inRepositories = insideOf(db);
  const storedOf = (team: string) =>
    then(ofProjects.get(db, { team, project: null }), (row) => number(row?.stored));
  return {
    async counts({ teamId: team, projectId: project = null }, month): Promise<UsageCounts> {
      const held = await ofProjects.get(db, { team, project });
      const inside = await inRepositories({ team, project });
      const transfer = await moved.get(db, { team, project, month });
      return {
        projects: number(held?.projects),
        repositories: number(held?.repositories),
        images: inside.images,
        tags: inside.tags,
        storedBytes: number(held?.stored),
        pulledBytes: number(transfer?.pulled),
        pushedBytes: number(transfer?.pushed),
        most: {
          repositories: number(held?.most_repositories),
          images: inside.most_images,
          tags: inside.most_tags,
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
