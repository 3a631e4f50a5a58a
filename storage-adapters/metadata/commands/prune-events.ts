import { type Executor, query } from '../database.ts';
import type { Command } from './command.ts';

const lastPosition = query<object, { value: number }>((db) =>
  db.selectFrom('counters').select('value').where('name', '=', 'events'),
);
/** From the front: events leave in about the order in which they came. */
const oldest = query<{ limit: number }, { position: number; created_at: number }>((db, p) =>
  db.selectFrom('events').select(['position', 'created_at']).orderBy('position').limit(p('limit')),
);
const dropUpTo = query<{ position: number }>((db, p) =>
  db.deleteFrom('events').where('position', '<=', p('position')),
);
const ended = query<{ before: number; limit: number }, { id: string }>((db, p) =>
  db
    .selectFrom('webhook_deliveries')
    .select('id')
    .where('done_at', '<', p('before'))
    .orderBy('done_at')
    .limit(p('limit')),
);
const orphan = query<object, { id: string }>((db) =>
  db
    .selectFrom('webhooks as w')
    .leftJoin('teams as t', 't.id', 'w.team_id')
    .leftJoin('projects as p', 'p.id', 'w.project_id')
    .select('w.id')
    .where((e) =>
      e.or([
        e('t.id', 'is', null),
        e.and([e('w.project_id', 'is not', null), e('p.id', 'is', null)]),
      ]),
    )
    .limit(1),
);
const ofHook = query<{ webhook: string; limit: number }, { id: string }>((db, p) =>
  db
    .selectFrom('webhook_deliveries')
    .select('id')
    .where('webhook_id', '=', p('webhook'))
    .limit(p('limit')),
);
const dropAttempts = query<{ delivery: string }>((db, p) =>
  db.deleteFrom('webhook_attempts').where('delivery_id', '=', p('delivery')),
);
const dropDelivery = query<{ id: string }>((db, p) =>
  db.deleteFrom('webhook_deliveries').where('id', '=', p('id')),
);
const dropHook = query<{ id: string }>((db, p) =>
  db.deleteFrom('webhooks').where('id', '=', p('id')),
);
const oldAudit = query<{ before: number; limit: number }>((db, p) =>
  db
    .deleteFrom('audit')
    .where('id', 'in', (e) =>
      e
        .selectFrom('audit')
        .select('id')
        .where('at', '<', p('before'))
        .orderBy('at')
        .limit(p('limit')),
    ),
);

export const pruneEvents: Command<'PruneEvents'> = async (tx, { before, keep, limit }) => {
  const newest = (await lastPosition.get(tx, {}))!.value;
  const rows = await oldest.all(tx, { limit });
  const kept = rows.findIndex((row) => row.position > newest - keep && row.created_at >= before);
  const gone = kept < 0 ? rows : rows.slice(0, kept);
  const last = gone.at(-1);
  if (last) await dropUpTo.run(tx, { position: last.position });

  const old = await ended.all(tx, { before, limit });
  await dropDeliveries(tx, old);

  const hook = await orphan.get(tx, {});
  const left = hook ? await ofHook.all(tx, { webhook: hook.id, limit }) : [];
  await dropDeliveries(tx, left);
  if (hook && left.length < limit) await dropHook.run(tx, { id: hook.id });
  return { more: hook !== undefined || gone.length === limit || old.length === limit };
};

async function dropDeliveries(tx: Executor, rows: readonly { id: string }[]): Promise<void> {
  for (const { id } of rows) {
    await dropAttempts.run(tx, { delivery: id });
    await dropDelivery.run(tx, { id });
  }
}

export const pruneAudit: Command<'PruneAudit'> = async (tx, args) => ({
  more: (await oldAudit.run(tx, args)) === args.limit,
});
