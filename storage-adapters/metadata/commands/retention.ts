import { query } from '../database.ts';
import type { Command } from './command.ts';

/** What was written down within it stays: rules count days. */
const closeEnoughMs = 3_600_000;

const touch = query<{ repositoryId: string; digest: string; at: number; before: number }>((db, p) =>
  db
    .updateTable('manifests')
    .set({ pulled_at: p('at') })
    .where('repository_id', '=', p('repositoryId'))
    .where('digest', '=', p('digest'))
    .where((e) => e.or([e('pulled_at', 'is', null), e('pulled_at', '<', p('before'))])),
);

export const touchManifests: Command<'TouchManifests'> = async (tx, { uses }) => {
  for (const use of uses) {
    await touch.run(tx, { ...use, before: use.at - closeEnoughMs });
  }
  return null;
};
