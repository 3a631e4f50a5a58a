import { refuse } from '../../../src/oci/errors.ts';
import { type Executor, query } from '../database.ts';
import { removedProject, removedSlug, removedTeam } from '../removed-place.ts';

const insertTeam = query<{ now: number }>((db, p) =>
  db
    .insertInto('teams')
    .values({
      ...{ id: removedTeam, slug: removedSlug, name: removedSlug, plan: 'self-hosted' },
      ...{ event_sequence: 0, created_at: p('now') },
    })
    .onConflict((c) => c.doNothing()),
);
const insertProject = query<{ now: number }>((db, p) =>
  db
    .insertInto('projects')
    .values({
      ...{ id: removedProject, team_id: removedTeam, slug: removedSlug, settings: '{}' },
      ...{ repository_count: 0, stored_bytes: 0, created_at: p('now') },
    })
    .onConflict((c) => c.doNothing()),
);
/** Its rules go, too: nothing is kept or let go by them any more. */
const rehome = query<{ repository: string }>((db, p) =>
  db
    .updateTable('repositories')
    .set((e) => ({
      ...{ project_id: removedProject, name: e.ref('id'), visibility: 'private', rules: '{}' },
      stored_bytes: 0,
    }))
    .where('id', '=', p('repository')),
);
const live = query<{ repository: string }, { id: string }>((db, p) =>
  db
    .selectFrom('repositories')
    .select('id')
    .where('id', '=', p('repository'))
    .where('project_id', '!=', removedProject),
);

/** Nobody finds it from now on; what it holds is purged later. */
export async function takeOutOfSight(
  tx: Executor,
  { repository, now }: { repository: string; now: number },
): Promise<void> {
  await insertTeam.run(tx, { now });
  await insertProject.run(tx, { now });
  await rehome.run(tx, { repository });
}

/** Rejects with `name-unknown` where the repository was deleted: what began before that writes nothing to it. */
export async function requireLive(tx: Executor, repository: string): Promise<void> {
  if (!(await live.get(tx, { repository }))) throw deletedMeanwhile();
}

export function deletedMeanwhile() {
  return refuse(
    'name-unknown',
    'What this belongs to was deleted meanwhile.',
    'Check that the repository is still there, and try again.',
  );
}
