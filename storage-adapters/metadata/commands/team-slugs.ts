import { refuse } from '../../../src/oci/errors.ts';
import { type Executor, query } from '../database.ts';
import type { ManagementSchema } from '../schema-management.ts';
import type { Command } from './command.ts';

const find = query<{ id: string }, { slug: string; name: string; plan: string; functions: number }>(
  (db, p) =>
    db.selectFrom('teams').select(['slug', 'name', 'plan', 'functions']).where('id', '=', p('id')),
);
const owner = query<{ slug: string }, { id: string }>((db, p) =>
  db.selectFrom('teams').select('id').where('slug', '=', p('slug')),
);
const update = query<{ id: string; slug: string; name: string; plan: string; functions: number }>(
  (db, p) =>
    db
      .updateTable('teams')
      .set({ slug: p('slug'), name: p('name'), plan: p('plan'), functions: p('functions') })
      .where('id', '=', p('id')),
);
const held = query<{ slug: string }, ManagementSchema['held_slugs']>((db, p) =>
  db.selectFrom('held_slugs').selectAll().where('slug', '=', p('slug')),
);
const hold = query<{ slug: string; teamId: string; until: number }>((db, p) =>
  db
    .insertInto('held_slugs')
    .values({ slug: p('slug'), team_id: p('teamId'), until: p('until') })
    .onConflict((c) => c.column('slug').doUpdateSet({ team_id: p('teamId'), until: p('until') })),
);
const release = query<{ slug: string }>((db, p) =>
  db.deleteFrom('held_slugs').where('slug', '=', p('slug')),
);

/**
 * Lets a team have a slug: rejects with `conflict` where another one had it lately, since those who still
 * pull by the old name would get the newcomer's images.
 */
export async function takeSlug(
  tx: Executor,
  { slug, teamId, now }: { slug: string; teamId: string; now: number },
): Promise<void> {
  const row = await held.get(tx, { slug });
  if (!row) return;
  if (row.team_id !== teamId && row.until > now) {
    throw refuse(
      'conflict',
      `The slug "${slug}" was another team's until lately, and is held until ${new Date(row.until).toISOString()}.`,
      'Choose another slug.',
    );
  }
  await release.run(tx, { slug });
}

export const updateTeam: Command<'UpdateTeam'> = async (tx, args) => {
  const { teamId: id, now } = args;
  const team = await find.get(tx, { id });
  if (!team) throw refuse('not-found', 'There is no such team.');
  const slug = args.slug ?? team.slug;
  if (slug !== team.slug) {
    if (await owner.get(tx, { slug })) {
      throw refuse('conflict', `The team name "${slug}" is taken.`, 'Choose another name.');
    }
    await takeSlug(tx, { slug, teamId: id, now });
    await hold.run(tx, { slug: team.slug, teamId: id, until: args.heldUntil });
  }
  const functions = args.functions === undefined ? team.functions : args.functions ? 1 : 0;
  const { name = team.name, plan = team.plan } = args;
  await update.run(tx, { id, slug, name, plan, functions });
  return null;
};
