import { refuse } from '../../../src/oci/errors.ts';
import { query } from '../database.ts';
import { removedProject } from '../removed-place.ts';
import type { Command } from './command.ts';
import { requireAllDeletable } from './image-rules.ts';
import { emit } from './outbox.ts';
import { endUploads, purge } from './purge-repository.ts';
import { releaseImages } from './release-images.ts';
import { takeOutOfSight } from './removed-repositories.ts';

interface Row {
  project_id: string;
  name: string;
  visibility: string;
  stored_bytes: number;
}
const find = query<{ repository: string }, Row>((db, p) =>
  db
    .selectFrom('repositories')
    .select(['project_id', 'name', 'visibility', 'stored_bytes'])
    .where('id', '=', p('repository'))
    .where('project_id', '!=', removedProject),
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

/** Rows that go with it at once: few enough that nobody waits for them. */
const atOnce = 500;

export const deleteRepository: Command<'DeleteRepository'> = async (tx, args) => {
  const { repositoryId, now } = args;
  const row = await find.get(tx, { repository: repositoryId });
  if (!row) throw refuse('name-unknown', 'There is no such repository.');
  await requireAllDeletable(tx, repositoryId);
  await releaseImages(tx, { repositoryId, digest: undefined }, now);
  const discarded = await endUploads(tx, repositoryId);
  // While it has its place: the event takes its sequence and its name from it.
  await emit(tx, {
    repositoryId,
    type: 'repository.deleted',
    data: { name: row.name, visibility: row.visibility, actor: args.actor },
    now,
  });
  await takeOutOfSight(tx, { repository: repositoryId, now });
  await uncount.run(tx, { project: row.project_id, bytes: row.stored_bytes });
  const left = await purge(tx, { repositoryId, part: 0, after: '' }, atOnce);
  return { discarded, left: left !== undefined };
};
