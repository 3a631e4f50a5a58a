import type { Digest } from '../../../src/oci/digest.ts';
import { refuse } from '../../../src/oci/errors.ts';
import type { CountLimits } from '../../../src/ports/commands.ts';
import { type Executor, query } from '../database.ts';
import type { Command } from './command.ts';
import { requireMovable } from './image-rules.ts';
import { emit } from './outbox.ts';
import { writeHistory } from './tag-history.ts';

const findTag = query<{ repository: string; tag: string }, { digest: string }>((db, p) =>
  db
    .selectFrom('tags')
    .select('digest')
    .where('repository_id', '=', p('repository'))
    .where('name', '=', p('tag')),
);
const putTagQuery = query<{
  repository: string;
  tag: string;
  digest: string;
  now: number;
  actor: string;
}>((db, p) =>
  db
    .insertInto('tags')
    .values({
      repository_id: p('repository'),
      name: p('tag'),
      digest: p('digest'),
      created_at: p('now'),
      updated_at: p('now'),
      updated_by: p('actor'),
    })
    .onConflict((c) =>
      c
        .columns(['repository_id', 'name'])
        .doUpdateSet({ digest: p('digest'), updated_at: p('now'), updated_by: p('actor') }),
    ),
);
const addTag = query<{ repository: string }>((db, p) =>
  db
    .updateTable('repositories')
    .set((e) => ({ tag_count: e('tag_count', '+', 1) }))
    .where('id', '=', p('repository')),
);
const tagCount = query<{ repository: string }, { tag_count: number }>((db, p) =>
  db.selectFrom('repositories').select('tag_count').where('id', '=', p('repository')),
);
const manifest = query<{ repository: string; digest: string }, { digest: string }>((db, p) =>
  db
    .selectFrom('manifests')
    .select('digest')
    .where('repository_id', '=', p('repository'))
    .where('digest', '=', p('digest')),
);

export interface TagMove {
  readonly repositoryId: string;
  readonly tag: string;
  readonly digest: Digest;
  readonly overwrite: boolean;
  readonly actor: string;
  readonly limits: CountLimits;
  readonly now: number;
}

/** Points the tag at a manifest that is there; where from (null: it is new), or undefined where it pointed there. */
export async function moveTag(
  tx: Executor,
  move: TagMove,
): Promise<{ from: string | null } | undefined> {
  const { repositoryId: repository, tag, digest, now, actor } = move;
  const from = (await findTag.get(tx, { repository, tag }))?.digest ?? null;
  if (from === digest) return undefined;
  if (from !== null && !move.overwrite) throw mayNotMove(move);
  // Rules are about tags that are there: a push of new ones does not read them.
  if (from === null) await countTag(tx, move);
  else await requireMovable(tx, { repository, tag, from });
  await putTagQuery.run(tx, { repository, tag, digest, now, actor });
  await writeHistory(tx, { repository, tag, digest, now, actor, action: 'set' }, from !== null);
  return { from };
}

export async function emitMoved(
  tx: Executor,
  { repositoryId, tag, digest, actor, now }: Omit<TagMove, 'overwrite' | 'limits'>,
  from: string | null,
): Promise<void> {
  await emit(tx, {
    repositoryId,
    type: 'tag.moved',
    data: { tag, from, to: digest, actor },
    now,
  });
}

export const putTag: Command<'PutTag'> = async (tx, args) => {
  const { repositoryId: repository, digest } = args;
  if (!(await manifest.get(tx, { repository, digest }))) {
    throw refuse(
      'manifest-unknown',
      `The repository holds no manifest ${digest}.`,
      'Push it there first: a tag can only name what its own repository holds.',
    );
  }
  const move = await moveTag(tx, args);
  if (move) await emitMoved(tx, args, move.from);
  return { created: move?.from === null, moved: move !== undefined };
};

function mayNotMove({ actor, tag }: TagMove) {
  return refuse(
    'denied',
    `The tag "${tag}" is there already, and ${actor} may push what is new, but may not move a tag.`,
    'Push under a new tag, or use a token of scope write (or a trust policy with the action push).',
    { tag },
  );
}

async function countTag(tx: Executor, { repositoryId: repository, limits }: TagMove) {
  const { tags, plan } = limits;
  if (tags !== undefined) {
    const held = await tagCount.get(tx, { repository });
    if (held && held.tag_count >= tags) {
      throw refuse(
        'quota',
        `The repository holds ${held.tag_count} tags, and the ${plan} plan allows ${tags}.`,
        'Delete tags that are not needed, or change the plan: npx gantry admin team set-plan.',
        { limit: tags, plan },
      );
    }
  }
  await addTag.run(tx, { repository });
}
