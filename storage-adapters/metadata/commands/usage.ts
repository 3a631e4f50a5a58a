import { sql } from 'kysely';
import { refuse } from '../../../src/oci/errors.ts';
import type { CountLimits } from '../../../src/ports/commands.ts';
import { type Executor, query } from '../database.ts';
import type { Command } from './command.ts';

interface Entry {
  projectId: string;
  month: string;
  pulled: number;
  pushed: number;
}
/** Of projects that there are: one may have been deleted since its bytes were counted. */
const add = query<Entry>((db, p) =>
  db
    .insertInto('transfer')
    .columns(['project_id', 'month', 'pulled_bytes', 'pushed_bytes'])
    .expression((e) =>
      e
        .selectFrom('projects')
        .select([
          'id as project_id',
          sql<string>`cast(${p('month')} as text)`.as('month'),
          sql<number>`cast(${p('pulled')} as bigint)`.as('pulled_bytes'),
          sql<number>`cast(${p('pushed')} as bigint)`.as('pushed_bytes'),
        ])
        .where('id', '=', p('projectId')),
    )
    .onConflict((c) =>
      c.columns(['project_id', 'month']).doUpdateSet((e) => ({
        pulled_bytes: e('transfer.pulled_bytes', '+', e.ref('excluded.pulled_bytes')),
        pushed_bytes: e('transfer.pushed_bytes', '+', e.ref('excluded.pushed_bytes')),
      })),
    ),
);
const stored = query<{ repositoryId: string }, { bytes: number | null }>((db, p) =>
  db
    .selectFrom('projects')
    .select((e) => e.fn.sum<number>('stored_bytes').as('bytes'))
    .where('team_id', '=', (e) =>
      e
        .selectFrom('repositories as r')
        .innerJoin('projects as own', 'own.id', 'r.project_id')
        .select('own.team_id')
        .where('r.id', '=', p('repositoryId')),
    ),
);

export const addTransfer: Command<'AddTransfer'> = async (tx, { month, entries }) => {
  for (const entry of entries) await add.run(tx, { ...entry, month });
  return null;
};

/** Rejects with `quota` where the repository's team stores more than its plan allows. */
export async function checkStorage(
  tx: Executor,
  repositoryId: string,
  limits: CountLimits | undefined,
): Promise<void> {
  const limit = limits?.storage;
  if (limit === undefined) return;
  const held = Number((await stored.get(tx, { repositoryId }))?.bytes ?? 0);
  if (held <= limit) return;
  throw refuse(
    'quota',
    `The team would store ${held} bytes, and the ${limits!.plan} plan allows ${limit}.`,
    'Delete images that are not needed, or change the plan: npx gantry admin team set-plan.',
    { limit, plan: limits!.plan },
  );
}
