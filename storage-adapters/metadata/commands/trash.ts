import { sql } from 'kysely';
import type { Digest } from '../../../src/oci/digest.ts';
import { refuse } from '../../../src/oci/errors.ts';
import type { Commands } from '../../../src/ports/commands.ts';
import { deletedKept } from '../../../src/ports/trash.ts';
import { type Executor, query } from '../database.ts';
import type { Schema } from '../schema.ts';
import type { Command } from './command.ts';
import { missingManifests, putManifest } from './put-manifest.ts';
import { renewLink } from './uploads.ts';

interface Target {
  repository: string;
  digest: string;
}
/** What a deleted manifest named, as JSON. */
interface Parts {
  readonly blobs: readonly Digest[];
  /** That the repository did not hold. */
  readonly optionalBlobs: readonly Digest[];
  readonly manifests: readonly Digest[];
}

const references = query<Target, { child: string; kind: string; held: string | null }>((db, p) =>
  db
    .selectFrom('manifest_references as f')
    .leftJoin('blob_links as l', (j) =>
      j.onRef('l.repository_id', '=', 'f.repository_id').onRef('l.digest', '=', 'f.child'),
    )
    .select(['f.child', 'f.kind', 'l.digest as held'])
    .where('f.repository_id', '=', p('repository'))
    .where('f.digest', '=', p('digest'))
    .orderBy('f.child'),
);
const remove = query<Target>((db, p) =>
  db
    .deleteFrom('deleted_manifests')
    .where('repository_id', '=', p('repository'))
    .where('digest', '=', p('digest')),
);
const copied = [
  ...(['repository_id', 'digest', 'media_type', 'size', 'image_size', 'platform'] as const),
  ...(['artifact_type', 'annotations', 'subject', 'pushed_at', 'pushed_by'] as const),
] as const;
const added = ['parts', 'tags', 'deleted_at', 'deleted_by', 'expires_at', 'bytes'] as const;
interface Deletion extends Target {
  parts: string;
  tags: string;
  now: number;
  actor: string;
  until: number;
}
const insert = query<Deletion>((db, p) =>
  db
    .insertInto('deleted_manifests')
    .columns([...copied, ...added])
    .expression((e) =>
      e
        .selectFrom('manifests as m')
        .innerJoin('manifest_contents as c', 'c.digest', 'm.digest')
        .where('m.repository_id', '=', p('repository'))
        .where('m.digest', '=', p('digest'))
        .select(copied.map((name) => `m.${name}` as const))
        .select([
          sql<string>`cast(${p('parts')} as text)`.as('parts'),
          sql<string>`cast(${p('tags')} as text)`.as('tags'),
          sql<number>`cast(${p('now')} as bigint)`.as('deleted_at'),
          sql<string>`cast(${p('actor')} as text)`.as('deleted_by'),
          sql<number>`cast(${p('until')} as bigint)`.as('expires_at'),
          'c.bytes',
        ]),
    ),
);
const find = query<Target & { now: number }, Schema['deleted_manifests']>((db, p) =>
  db
    .selectFrom('deleted_manifests')
    .selectAll()
    .where('repository_id', '=', p('repository'))
    .where('digest', '=', p('digest'))
    .where('expires_at', '>', p('now')),
);
const live = query<Target, { digest: string }>((db, p) =>
  db
    .selectFrom('manifests')
    .select('digest')
    .where('repository_id', '=', p('repository'))
    .where('digest', '=', p('digest')),
);
const taken = query<{ repository: string; names: string }, { name: string }>((db, p, dialect) =>
  dialect.lookUp(p('names'), (is) =>
    db
      .selectFrom('tags')
      .select('name')
      .where('repository_id', '=', p('repository'))
      .where(is('name')),
  ),
);
const prune = query<Target>((db, p) =>
  db
    .deleteFrom('deleted_manifests')
    .where('repository_id', '=', p('repository'))
    .where('deleted_at', '<', (e) =>
      e
        .selectFrom('deleted_manifests')
        .select('deleted_at')
        .where('repository_id', '=', p('repository'))
        .orderBy('deleted_at', 'desc')
        .limit(sql.lit(1))
        .offset(sql.lit(deletedKept - 1)),
    ),
);
const empty = query<{ now: number; limit: number }>((db, p) =>
  db
    .deleteFrom('deleted_manifests')
    .where((e) =>
      e(
        e.refTuple('repository_id', 'digest'),
        'in',
        e
          .selectFrom('deleted_manifests as d')
          .select(['d.repository_id', 'd.digest'])
          .where('d.expires_at', '<=', p('now'))
          .orderBy('d.expires_at')
          .limit(p('limit'))
          .$asTuple('repository_id', 'digest'),
      ),
    ),
);

/**
 * Before a manifest goes: what is needed to put it back is kept until `until`, and its blobs by the leases of
 * their links, so that a collection passes them by.
 */
export async function keepDeleted(
  tx: Executor,
  deletion: Target & { tags: readonly string[]; now: number; actor: string; until: number },
): Promise<void> {
  const { repository, until } = deletion;
  const rows = await references.all(tx, deletion);
  const named = rows.filter((row) => row.kind === 'blob');
  const pick = (found: typeof rows) => found.map((row) => row.child as Digest);
  const parts: Parts = {
    blobs: pick(named.filter((row) => row.held !== null)),
    optionalBlobs: pick(named.filter((row) => row.held === null)),
    manifests: pick(rows.filter((row) => row.kind === 'manifest')),
  };
  await remove.run(tx, deletion);
  const texts = { parts: JSON.stringify(parts), tags: JSON.stringify(deletion.tags) };
  await insert.run(tx, { ...deletion, ...texts });
  await prune.run(tx, deletion);
  for (const digest of parts.blobs)
    await renewLink(tx, { repositoryId: repository, digest, until });
}

export const restoreManifest: Command<'RestoreManifest'> = async (tx, args) => {
  const manifests: Digest[] = [];
  if (await live.get(tx, { repository: args.repositoryId, digest: args.digest }))
    return { tags: [], tagsTaken: [], manifests, alreadyThere: true };
  const done = await restore(tx, args, manifests);
  if (!done) {
    throw refuse(
      'manifest-unknown',
      `No manifest ${args.digest} was deleted from the repository, or its time is over.`,
      'List what can come back: GET …/repositories/{repository}/deleted.',
    );
  }
  return { ...done, manifests, alreadyThere: false };
};

/** Undefined: it is not there. `came`: what came back before it. */
async function restore(
  tx: Executor,
  args: Commands['RestoreManifest']['args'],
  came: Digest[],
): Promise<{ tags: readonly string[]; tagsTaken: readonly string[] } | undefined> {
  const { repositoryId, repositoryId: repository, digest, actor, limits, now } = args;
  const row = await find.get(tx, { repository, digest, now });
  if (!row) return undefined;
  const parts = JSON.parse(row.parts) as Parts;
  const digests = JSON.stringify(parts.manifests);
  for (const { value } of await missingManifests.all(tx, { repository, digests })) {
    if (await restore(tx, { ...args, digest: value }, came)) came.push(value);
  }
  const tagsTaken = (await taken.all(tx, { repository, names: row.tags }))
    .map(({ name }) => name)
    .sort();
  const tags = (JSON.parse(row.tags) as string[]).filter((name) => !tagsTaken.includes(name));
  await putManifest(tx, {
    ...{ repositoryId, digest, actor, limits, now, tags, ...parts },
    mediaType: row.media_type,
    content: row.bytes,
    artifactType: row.artifact_type ?? undefined,
    annotations: row.annotations
      ? (JSON.parse(row.annotations) as Record<string, string>)
      : undefined,
    subject: (row.subject as Digest | null) ?? undefined,
    // What was measured is kept for as long as the blobs are.
    layers: [],
    imageSize: row.image_size,
    platform: row.platform ?? undefined,
    overwrite: false,
  });
  await remove.run(tx, { repository, digest });
  return { tags, tagsTaken };
}

export const emptyTrash: Command<'EmptyTrash'> = async (tx, args) => ({
  removed: await empty.run(tx, args),
});
