import { refuse } from '../../../src/oci/errors.ts';
import { query } from '../database.ts';
import type { Command } from './command.ts';
import { requireDeletable } from './image-rules.ts';
import { emit } from './outbox.ts';
import { releaseImages } from './release-images.ts';
import { writeHistory } from './tag-history.ts';
import { keepDeleted } from './trash.ts';

interface Target {
  repository: string;
  digest: string;
}
const parent = query<Target, { digest: string }>((db, p) =>
  db
    .selectFrom('manifest_references')
    .select('digest')
    .where('repository_id', '=', p('repository'))
    .where('child', '=', p('digest'))
    .where('kind', '=', 'manifest')
    .where('digest', '!=', p('digest'))
    .limit(1),
);
const tagsOf = query<Target, { name: string }>((db, p) =>
  db
    .selectFrom('tags')
    .select('name')
    .where('repository_id', '=', p('repository'))
    .where('digest', '=', p('digest'))
    .orderBy('name'),
);
const removeTags = query<Target>((db, p) =>
  db
    .deleteFrom('tags')
    .where('repository_id', '=', p('repository'))
    .where('digest', '=', p('digest')),
);
const removeReferences = query<Target>((db, p) =>
  db
    .deleteFrom('manifest_references')
    .where('repository_id', '=', p('repository'))
    .where('digest', '=', p('digest')),
);
const removeManifest = query<Target>((db, p) =>
  db
    .deleteFrom('manifests')
    .where('repository_id', '=', p('repository'))
    .where('digest', '=', p('digest')),
);
const removeContent = query<{ digest: string }>((db, p) =>
  db
    .deleteFrom('manifest_contents')
    .where('digest', '=', p('digest'))
    .where((e) =>
      e.not(
        e.exists(
          e.selectFrom('manifests').select('digest').where('manifests.digest', '=', p('digest')),
        ),
      ),
    ),
);
const subtract = query<{ repository: string; images: number; tags: number }>((db, p) =>
  db
    .updateTable('repositories')
    .set((e) => ({
      image_count: e('image_count', '-', p('images')),
      tag_count: e('tag_count', '-', p('tags')),
    }))
    .where('id', '=', p('repository')),
);
const findTag = query<{ repository: string; tag: string }, { digest: string }>((db, p) =>
  db
    .selectFrom('tags')
    .select('digest')
    .where('repository_id', '=', p('repository'))
    .where('name', '=', p('tag')),
);
const removeTag = query<{ repository: string; tag: string }>((db, p) =>
  db.deleteFrom('tags').where('repository_id', '=', p('repository')).where('name', '=', p('tag')),
);

export const deleteManifest: Command<'DeleteManifest'> = async (tx, args) => {
  const { repositoryId: repository, digest, actor, now } = args;
  const target = { repository, digest };
  const index = await parent.get(tx, target);
  if (index) {
    throw refuse(
      'manifest-in-use',
      `The index ${index.digest} of this repository names this manifest: without it the index could not be pulled.`,
      'Delete that index first.',
      { manifest: index.digest },
    );
  }
  const tags = (await tagsOf.all(tx, target)).map((row) => row.name);
  const wanted = args.onlyWithTags;
  if (wanted && (wanted.length !== tags.length || wanted.some((name, at) => name !== tags[at])))
    throw refuse('conflict', 'The tags of the manifest have changed meanwhile.');
  const until = args.restorableUntil;
  if (until !== undefined) await keepDeleted(tx, { ...target, tags, now, actor, until });
  // Where there is none, what was kept of one that was deleted before stays, too.
  if ((await removeManifest.run(tx, target)) === 0)
    throw refuse('manifest-unknown', 'The repository holds no such manifest.');
  await requireDeletable(tx, repository, tags);
  await releaseImages(tx, { repositoryId: repository, digest, spare: wanted !== undefined }, now);
  await removeTags.run(tx, target);
  await removeReferences.run(tx, target);
  await removeContent.run(tx, { digest });
  await subtract.run(tx, { repository, images: 1, tags: tags.length });
  const common = { repositoryId: repository, now };
  for (const tag of tags) {
    await writeHistory(tx, { repository, tag, digest, now, actor, action: 'deleted' });
    await emit(tx, { ...common, type: 'tag.deleted', data: { tag, digest, actor } });
  }
  await emit(tx, { ...common, type: 'manifest.deleted', data: { digest, tags, actor } });
  return null;
};

export const deleteTag: Command<'DeleteTag'> = async (tx, args) => {
  const { repositoryId: repository, tag, actor, now } = args;
  const held = await findTag.get(tx, { repository, tag });
  if (!held) throw refuse('manifest-unknown', 'The repository holds no such tag.');
  await requireDeletable(tx, repository, [tag]);
  await removeTag.run(tx, { repository, tag });
  await writeHistory(tx, { repository, tag, digest: held.digest, now, actor, action: 'deleted' });
  await subtract.run(tx, { repository, images: 0, tags: 1 });
  await emit(tx, {
    repositoryId: repository,
    type: 'tag.deleted',
    data: { tag, digest: held.digest, actor },
    now,
  });
  return null;
};
