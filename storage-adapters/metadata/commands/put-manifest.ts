import { sql } from 'kysely';
import type { Digest } from '../../../src/oci/digest.ts';
import { refuse } from '../../../src/oci/errors.ts';
import type { PutManifestArgs } from '../../../src/ports/commands.ts';
import { type Executor, query } from '../database.ts';
import type { Command } from './command.ts';
import { emit } from './outbox.ts';
import { forgetDamaged } from './quarantine.ts';
import { reserveDeployments } from './reserve-deployments.ts';
import { emitMoved, moveTag } from './tags.ts';
import { checkStorage } from './usage.ts';

/** One look-up for each: of `not exists` Postgres would make a join with all that the repository holds. */
const missingBlobs = query<{ repository: string; digests: string }, { value: string }>(
  (db, p, dialect) =>
    db
      .selectFrom(dialect.elements(p('digests')).as('wanted'))
      .select('wanted.value')
      .where((e) =>
        e(
          e
            .selectFrom('blob_links as l')
            .innerJoin('blobs as b', 'b.digest', 'l.digest')
            .select('l.digest')
            .where('l.repository_id', '=', p('repository'))
            .whereRef('l.digest', '=', 'wanted.value')
            .where('b.quarantined_at', 'is', null)
            .limit(sql.lit(1)),
          'is',
          null,
        ),
      ),
);
/** Of a JSON list of digests, those that are no manifest of the repository. */
export const missingManifests = query<{ repository: string; digests: string }, { value: Digest }>(
  (db, p, dialect) =>
    db
      .selectFrom(dialect.elements(p('digests')).as('wanted'))
      .select('wanted.value')
      .where((e) =>
        e(
          e
            .selectFrom('manifests')
            .select('digest')
            .where('repository_id', '=', p('repository'))
            .whereRef('digest', '=', 'wanted.value')
            .limit(sql.lit(1)),
          'is',
          null,
        ),
      ) as never,
);
const insertContent = query<{ digest: string; content: Uint8Array }>((db, p) =>
  db
    .insertInto('manifest_contents')
    .values({ digest: p('digest'), bytes: p('content') })
    .onConflict((c) => c.column('digest').doNothing()),
);
interface NewManifest {
  repository: string;
  digest: string;
  mediaType: string;
  size: number;
  imageSize: number;
  platform: string | null;
  artifactType: string | null;
  annotations: string | null;
  subject: string | null;
  now: number;
  actor: string;
}
const insertManifest = query<NewManifest>((db, p) =>
  db
    .insertInto('manifests')
    .values({
      repository_id: p('repository'),
      digest: p('digest'),
      media_type: p('mediaType'),
      size: p('size'),
      image_size: p('imageSize'),
      platform: p('platform'),
      artifact_type: p('artifactType'),
      annotations: p('annotations'),
      subject: p('subject'),
      pushed_at: p('now'),
      pushed_by: p('actor'),
    })
    .onConflict((c) => c.columns(['repository_id', 'digest']).doNothing()),
);
const addImage = query<{ repository: string }>((db, p) =>
  db
    .updateTable('repositories')
    .set((e) => ({ image_count: e('image_count', '+', 1) }))
    .where('id', '=', p('repository')),
);
const counts = query<{ repository: string }, { image_count: number }>((db, p) =>
  db.selectFrom('repositories').select('image_count').where('id', '=', p('repository')),
);
const insertReference = query<{
  repository: string;
  digest: string;
  child: string;
  kind: string;
}>((db, p) =>
  db
    .insertInto('manifest_references')
    .values({
      repository_id: p('repository'),
      digest: p('digest'),
      child: p('child'),
      kind: p('kind'),
    })
    .onConflict((c) => c.doNothing()),
);
const insertMeasure = query<{ digest: string; compression: string }>((db, p) =>
  db
    .insertInto('measures')
    .values({
      digest: p('digest'),
      compression: p('compression'),
      state: 'pending',
      uncompressed_size: null,
      reason: null,
    })
    .onConflict((c) => c.columns(['digest', 'compression']).doNothing()),
);
const pushed = query<{ repository: string; now: number }>((db, p) =>
  db
    .updateTable('repositories')
    .set({ pushed_at: p('now') })
    .where('id', '=', p('repository')),
);

export const putManifest: Command<'PutManifest'> = async (tx, args) => {
  await requirePresent(tx, args);
  await checkStorage(tx, args.repositoryId, args.limits);
  const created = await insert(tx, args);
  if (created) await insertParts(tx, args);
  const moves: { tag: string; from: string | null }[] = [];
  for (const tag of args.tags) {
    const move = await moveTag(tx, { ...args, tag });
    if (move) moves.push({ tag, from: move.from });
  }
  await pushed.run(tx, { repository: args.repositoryId, now: args.now });
  const { repositoryId, digest, mediaType, now, actor } = args;
  await emit(tx, {
    repositoryId,
    type: 'image.pushed',
    data: { digest, mediaType, tags: args.tags, created, actor },
    now,
  });
  for (const { tag, from } of moves) await emitMoved(tx, { ...args, tag }, from);
  const movedTags = moves.map((move) => move.tag);
  return { created, movedTags, deployments: await reserveDeployments(tx, args, movedTags) };
};

export const putManifests: Command<'PutManifests'> = async (tx, { puts }) => {
  for (const put of puts) await putManifest(tx, put);
  return null;
};

async function requirePresent(tx: Executor, args: PutManifestArgs): Promise<void> {
  const missing: string[] = [];
  const repository = args.repositoryId;
  if (args.blobs.length > 0) {
    const rows = await missingBlobs.all(tx, { repository, digests: JSON.stringify(args.blobs) });
    missing.push(...rows.map((row) => row.value));
  }
  if (args.manifests.length > 0) {
    const digests = JSON.stringify(args.manifests);
    const rows = await missingManifests.all(tx, { repository, digests });
    missing.push(...rows.map((row) => row.value));
  }
  if (missing.length === 0) return;
  throw refuse(
    'manifest-blob-unknown',
    `The manifest names ${missing.length === 1 ? 'content that is' : `${missing.length} pieces of content that are`} not in this repository: ${missing.slice(0, 3).join(', ')}${missing.length > 3 ? ' …' : ''}.`,
    'Push the layers, config and child manifests first, then the manifest again.',
    { digests: missing.slice(0, 100) },
  );
}

async function insert(tx: Executor, args: PutManifestArgs): Promise<boolean> {
  if ((await insertContent.run(tx, { digest: args.digest, content: args.content })) > 0)
    await forgetDamaged(tx, args.digest);
  const inserted = await insertManifest.run(tx, {
    repository: args.repositoryId,
    digest: args.digest,
    mediaType: args.mediaType,
    size: args.content.byteLength,
    imageSize: args.imageSize,
    platform: args.platform ?? null,
    artifactType: args.artifactType ?? null,
    annotations: args.annotations ? JSON.stringify(args.annotations) : null,
    subject: args.subject ?? null,
    now: args.now,
    actor: args.actor,
  });
  return inserted > 0;
}

async function insertParts(tx: Executor, args: PutManifestArgs): Promise<void> {
  const { repositoryId: repository, digest } = args;
  await addImage.run(tx, { repository });
  const { images, plan } = args.limits;
  const held = await counts.get(tx, { repository });
  if (images !== undefined && held && held.image_count > images) {
    throw refuse(
      'quota',
      `The repository holds ${images} images, and the ${plan} plan allows no more.`,
      'Delete images that are not needed, or change the plan: npx gantry admin team set-plan.',
      { limit: images, plan },
    );
  }
  for (const child of [...args.blobs, ...args.optionalBlobs]) {
    await insertReference.run(tx, { repository, digest, child, kind: 'blob' });
  }
  for (const child of args.manifests) {
    await insertReference.run(tx, { repository, digest, child, kind: 'manifest' });
  }
  for (const layer of args.layers) await insertMeasure.run(tx, layer);
}
