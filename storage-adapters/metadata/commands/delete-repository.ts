import { refuse } from '../../../src/oci/errors.ts';
import { query } from '../database.ts';
import type { Command } from './command.ts';
import { requireAllDeletable } from './image-rules.ts';
import { emit } from './outbox.ts';
import { releaseImages } from './release-images.ts';

interface Target {
  repository: string;
}
interface Row {
  project_id: string;
  name: string;
  visibility: string;
  stored_bytes: number;
}
const find = query<Target, Row>((db, p) =>
  db
    .selectFrom('repositories')
    .select(['project_id', 'name', 'visibility', 'stored_bytes'])
    .where('id', '=', p('repository')),
);
const removeTags = query<Target>((db, p) =>
  db.deleteFrom('tags').where('repository_id', '=', p('repository')),
);
const removeHistory = query<Target>((db, p) =>
  db.deleteFrom('tag_history').where('repository_id', '=', p('repository')),
);
const removeTrash = query<Target>((db, p) =>
  db.deleteFrom('deleted_manifests').where('repository_id', '=', p('repository')),
);
const removeReferences = query<Target>((db, p) =>
  db.deleteFrom('manifest_references').where('repository_id', '=', p('repository')),
);
/** The bytes of manifests that no other repository holds. */
const removeContents = query<Target>((db, p) =>
  db.deleteFrom('manifest_contents').where('digest', 'in', (e) =>
    e
      .selectFrom('manifests as own')
      .select('own.digest')
      .where('own.repository_id', '=', p('repository'))
      .where((x) =>
        x.not(
          x.exists(
            x
              .selectFrom('manifests as other')
              .select('other.digest')
              .whereRef('other.digest', '=', 'own.digest')
              .where('other.repository_id', '!=', p('repository')),
          ),
        ),
      ),
  ),
);
const removeManifests = query<Target>((db, p) =>
  db.deleteFrom('manifests').where('repository_id', '=', p('repository')),
);
const removeLinks = query<Target>((db, p) =>
  db.deleteFrom('blob_links').where('repository_id', '=', p('repository')),
);
const discardUploads = query<Target>((db, p) =>
  db
    .insertInto('discarded_keys')
    .columns(['key', 'store_state'])
    .expression((e) =>
      e
        .selectFrom('uploads')
        .select(['id', 'store_state'])
        .where('repository_id', '=', p('repository')),
    ),
);
const removeUploads = query<Target>((db, p) =>
  db.deleteFrom('uploads').where('repository_id', '=', p('repository')),
);
const remove = query<Target>((db, p) =>
  db.deleteFrom('repositories').where('id', '=', p('repository')),
);
const uncount = query<{ project: string; bytes: number }>((db, p) =>
  db
    .updateTable('projects')
    .set((e) => ({
      repository_count: e('repository_count', '-', 1),
      stored_bytes: e('stored_bytes', '-', p('bytes')),
    }))
    .where('id', '=', p('project')),
);

export const deleteRepository: Command<'DeleteRepository'> = async (tx, args) => {
  const target = { repository: args.repositoryId };
  const row = await find.get(tx, target);
  if (!row) throw refuse('name-unknown', 'There is no such repository.');
  await requireAllDeletable(tx, args.repositoryId);
  await releaseImages(tx, { repositoryId: args.repositoryId, digest: undefined }, args.now);
  await removeTags.run(tx, target);
  await removeHistory.run(tx, target);
  await removeTrash.run(tx, target);
  await removeReferences.run(tx, target);
  await removeContents.run(tx, target);
  await removeManifests.run(tx, target);
  await removeLinks.run(tx, target);
  const discarded = await discardUploads.run(tx, target);
  await removeUploads.run(tx, target);
  // While the row is there: the event takes its sequence and its name from it.
  await emit(tx, {
    repositoryId: args.repositoryId,
    type: 'repository.deleted',
    data: { name: row.name, visibility: row.visibility, actor: args.actor },
    now: args.now,
  });
  await remove.run(tx, target);
  await uncount.run(tx, { project: row.project_id, bytes: row.stored_bytes });
  return { discarded };
};
