import { randomUUIDv7 } from 'node:crypto';
import { type Executor, query } from '../database.ts';
import type { Schema } from '../schema.ts';
import type { ManagementSchema } from '../schema-management.ts';
import type { Command } from './command.ts';

type OutboxRow = Schema['outbox'];
type Hook = Pick<ManagementSchema['webhooks'], 'id' | 'project_id' | 'types'>;

/** In order of the primary key, so that a page is a range of it. */
const take = query<{ stream: string; sequence: number; limit: number }, OutboxRow>((db, p) =>
  db
    .selectFrom('outbox')
    .selectAll()
    .where('stream_id', '>=', p('stream'))
    .where((e) => e.or([e('stream_id', '>', p('stream')), e('sequence', '>', p('sequence'))]))
    .orderBy('stream_id')
    .orderBy('sequence')
    .limit(p('limit')),
);
const drop = query<{ stream: string; sequence: number }>((db, p) =>
  db
    .deleteFrom('outbox')
    .where('stream_id', '=', p('stream'))
    .where('sequence', '=', p('sequence')),
);
const advance = query<{ by: number }>((db, p) =>
  db
    .updateTable('counters')
    .set((e) => ({ value: e('value', '+', p('by')) }))
    .where('name', '=', 'events'),
);
export const lastPosition = query<object, { value: number }>((db) =>
  db.selectFrom('counters').select('value').where('name', '=', 'events'),
);
export const publishEvent = query<OutboxRow & { position: number }>((db, p) =>
  db.insertInto('events').values({
    position: p('position'),
    id: p('id'),
    stream_id: p('stream_id'),
    sequence: p('sequence'),
    type: p('type'),
    team_id: p('team_id'),
    project_id: p('project_id'),
    subject: p('subject'),
    data: p('data'),
    created_at: p('created_at'),
  }),
);
const hooksOf = query<{ team: string }, Hook>((db, p) =>
  db
    .selectFrom('webhooks')
    .select(['id', 'project_id', 'types'])
    .where('team_id', '=', p('team'))
    .where('enabled', '=', 1),
);
const unfinished = query<{ webhook: string; stream: string; state: string }, { id: string }>(
  (db, p) =>
    db
      .selectFrom('webhook_deliveries')
      .select('id')
      .where('webhook_id', '=', p('webhook'))
      .where('stream_id', '=', p('stream'))
      .where('state', '=', p('state'))
      .limit(1),
);
interface NewDelivery {
  id: string;
  webhook: string;
  event: string;
  position: number;
  stream: string;
  sequence: number;
  type: string;
  state: string;
  now: number;
}
const insertDelivery = query<NewDelivery>((db, p) =>
  db.insertInto('webhook_deliveries').values({
    id: p('id'),
    webhook_id: p('webhook'),
    event_id: p('event'),
    event_position: p('position'),
    stream_id: p('stream'),
    sequence: p('sequence'),
    type: p('type'),
    state: p('state'),
    attempts: 0,
    next_at: p('now'),
    last_status: null,
    last_error: null,
    created_at: p('now'),
    done_at: null,
  }),
);

/**
 * A stream's deliveries go one after another: only the first of those that have not ended is pending, the
 * others wait for it. So what is due is found by an index alone, however long the queue behind it.
 */
export async function addDelivery(
  tx: Executor,
  delivery: Omit<NewDelivery, 'id' | 'state'> & { id?: string },
): Promise<void> {
  const { webhook, stream } = delivery;
  const busy = await unfinished.get(tx, { webhook, stream, state: 'pending' });
  const id = delivery.id ?? `dlv_${randomUUIDv7().replaceAll('-', '')}`;
  await insertDelivery.run(tx, { ...delivery, id, state: busy ? 'waiting' : 'pending' });
}

export const relayEvents: Command<'RelayEvents'> = async (tx, { after, limit, now }) => {
  const rows = await take.all(tx, {
    stream: after?.streamId ?? '',
    sequence: after?.sequence ?? 0,
    limit,
  });
  // Counted before it is read: where commits run side by side, this row makes the relays queue.
  if (rows.length > 0) await advance.run(tx, { by: rows.length });
  const position = (await lastPosition.get(tx, {}))!.value;
  const hooks = new Map<string, Hook[]>();
  let deliveries = 0;
  let at = position - rows.length;
  for (const row of inOrder(rows)) {
    at += 1;
    await publishEvent.run(tx, { ...row, position: at });
    await drop.run(tx, { stream: row.stream_id, sequence: row.sequence });
    let known = hooks.get(row.team_id);
    if (!known) {
      known = await hooksOf.all(tx, { team: row.team_id });
      hooks.set(row.team_id, known);
    }
    for (const hook of known.filter((one) => wants(one, row))) {
      deliveries += 1;
      await addDelivery(tx, {
        ...{ webhook: hook.id, event: row.id, position: at, stream: row.stream_id },
        ...{ sequence: row.sequence, type: row.type, now },
      });
    }
  }
  const last = rows.at(-1);
  const more = rows.length === limit && last;
  return {
    moved: rows.length,
    deliveries,
    next: more ? { streamId: last.stream_id, sequence: last.sequence } : undefined,
    position,
  };
};

/**
 * By time over all streams, and by sequence within each: a clock that was set back must not bring what
 * happened later before what happened first.
 */
function inOrder(rows: readonly OutboxRow[]): OutboxRow[] {
  const latest = new Map<string, number>();
  const timed = rows.map((row) => {
    const time = Math.max(row.created_at, latest.get(row.stream_id) ?? 0);
    latest.set(row.stream_id, time);
    return { row, time };
  });
  // The sort is stable, and the rows of a stream come by sequence.
  return timed.sort((a, b) => a.time - b.time).map(({ row }) => row);
}

function wants(hook: Hook, row: OutboxRow): boolean {
  if (hook.project_id !== null && hook.project_id !== row.project_id) return false;
  return hook.types === null || (JSON.parse(hook.types) as string[]).includes(row.type);
}
