import type { CommandName, Commands } from '../../../src/ports/commands.ts';
import { type Executor, query } from '../database.ts';

/** One write, run whole inside the writer's transaction. Written once for every database. */
export type Command<N extends CommandName> = (
  tx: Executor,
  args: Commands[N]['args'],
) => Promise<Commands[N]['result']>;

const bump = query<object>((db) =>
  db
    .updateTable('counters')
    .set((e) => ({ value: e('value', '+', 1) }))
    .where('name', '=', 'auth'),
);

/** Makes what was cached of identities and grants be asked again. */
export async function bumpAuthEpoch(tx: Executor): Promise<void> {
  await bump.run(tx, {});
}
