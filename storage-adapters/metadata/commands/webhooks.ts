import { refuse } from '../../../src/oci/errors.ts';
import type { Webhook } from '../../../src/ports/webhooks.ts';
import { type Executor, query } from '../database.ts';
import type { ManagementSchema } from '../schema-management.ts';
import type { Command } from './command.ts';
import { addDelivery } from './relay-events.ts';

type Delivery = ManagementSchema['webhook_deliveries'];

interface HookArgs {
  id: string;
  teamId: string;
  projectId: string | null;
  name: string;
  url: string;
  types: string | null;
  sealedSecret: string;
  enabled: number;
  createdAt: number;
  createdBy: string;
  updatedAt: number;
}
const count = query<{ team: string }, { count: number }>((db, p) =>
  db
    .selectFrom('webhooks')
    .select((e) => e.fn.countAll<number>().as('count'))
    .where('team_id', '=', p('team')),
);
const insert = query<HookArgs>((db, p) =>
  db
    .insertInto('webhooks')
    .values({
      id: p('id'),
      team_id: p('teamId'),
      project_id: p('projectId'),
      name: p('name'),
      url: p('url'),
      types: p('types'),
      sealed_secret: p('sealedSecret'),
      enabled: p('enabled'),
      created_at: p('createdAt'),
      created_by: p('createdBy'),
      updated_at: p('updatedAt'),
    })
    .onConflict((c) => c.columns(['team_id', 'name']).doNothing()),
);
const named = query<{ team: string; name: string }, { id: string }>((db, p) =>
  db
    .selectFrom('webhooks')
    .select('id')
    .where('team_id', '=', p('team'))
    .where('name', '=', p('name')),
);
const update = query<HookArgs>((db, p) =>
  db
    .updateTable('webhooks')
    .set({
      project_id: p('projectId'),
      name: p('name'),
      url: p('url'),
      types: p('types'),
      enabled: p('enabled'),
      updated_at: p('updatedAt'),
    })
    .where('id', '=', p('id'))
    .where('team_id', '=', p('teamId')),
);
const setSecret = query<{ id: string; sealedSecret: string; now: number }>((db, p) =>
  db
    .updateTable('webhooks')
    .set({ sealed_secret: p('sealedSecret'), updated_at: p('now') })
    .where('id', '=', p('id'))
    .where('team_id', '!=', ''),
);
/** Of no team: nothing finds it but what removes it, a part at a time. */
const disown = query<{ id: string }>((db, p) =>
  db
    .updateTable('webhooks')
    .set({ team_id: '', name: p('id'), enabled: 0, sealed_secret: '' })
    .where('id', '=', p('id'))
    .where('team_id', '!=', ''),
);
const findDelivery = query<{ id: string }, Delivery>((db, p) =>
  db.selectFrom('webhook_deliveries').selectAll().where('id', '=', p('id')),
);
const insertAttempt = query<{
  id: string;
  delivery: string;
  startedAt: number;
  durationMs: number;
  status: number | null;
  error: string | null;
  response: string | null;
}>((db, p) =>
  db.insertInto('webhook_attempts').values({
    id: p('id'),
    delivery_id: p('delivery'),
    started_at: p('startedAt'),
    duration_ms: p('durationMs'),
    status: p('status'),
    error: p('error'),
    response: p('response'),
  }),
);
interface Outcome {
  id: string;
  state: string;
  attempts: number;
  nextAt: number;
  status: number | null;
  error: string | null;
  doneAt: number | null;
}
const settle = query<Outcome>((db, p) =>
  db
    .updateTable('webhook_deliveries')
    .set({
      state: p('state'),
      attempts: p('attempts'),
      next_at: p('nextAt'),
      last_status: p('status'),
      last_error: p('error'),
      done_at: p('doneAt'),
    })
    .where('id', '=', p('id')),
);
const nextOfStream = query<{ webhook: string; stream: string }, { id: string }>((db, p) =>
  db
    .selectFrom('webhook_deliveries')
    .select('id')
    .where('webhook_id', '=', p('webhook'))
    .where('stream_id', '=', p('stream'))
    .where('state', '=', 'waiting')
    .orderBy('event_position')
    .limit(1),
);
const begin = query<{ id: string; now: number }>((db, p) =>
  db
    .updateTable('webhook_deliveries')
    .set({ state: 'pending', next_at: p('now') })
    .where('id', '=', p('id')),
);

const argsOf = (webhook: Webhook): HookArgs => ({
  ...webhook,
  projectId: webhook.projectId ?? null,
  types: webhook.types ? JSON.stringify(webhook.types) : null,
  enabled: webhook.enabled ? 1 : 0,
});

const nameTaken = (name: string) =>
  refuse(
    'conflict',
    `The team has a webhook named "${name}" already.`,
    'Choose another name, or change that webhook.',
  );

export const createWebhook: Command<'CreateWebhook'> = async (tx, { webhook, most }) => {
  const held = (await count.get(tx, { team: webhook.teamId }))?.count ?? 0;
  if (held >= most) {
    throw refuse(
      'quota',
      `The team has ${held} webhooks, and ${most} are allowed.`,
      'Delete one that is not needed.',
      { limit: most },
    );
  }
  if ((await insert.run(tx, argsOf(webhook))) === 0) throw nameTaken(webhook.name);
  return null;
};

export const updateWebhook: Command<'UpdateWebhook'> = async (tx, webhook) => {
  const twin = await named.get(tx, { team: webhook.teamId, name: webhook.name });
  if (twin && twin.id !== webhook.id) throw nameTaken(webhook.name);
  if ((await update.run(tx, argsOf(webhook))) === 0) {
    throw refuse('not-found', 'There is no such webhook.');
  }
  return null;
};

export const setWebhookSecret: Command<'SetWebhookSecret'> = async (tx, args) => {
  if ((await setSecret.run(tx, args)) === 0) {
    throw refuse('not-found', 'There is no such webhook.');
  }
  return null;
};

export const deleteWebhook: Command<'DeleteWebhook'> = async (tx, { id }) => ({
  deleted: (await disown.run(tx, { id })) > 0,
});

export const recordAttempt: Command<'RecordAttempt'> = async (tx, args) => {
  const { attempt, state, now } = args;
  const delivery = await findDelivery.get(tx, { id: args.deliveryId });
  if (delivery?.state !== 'pending') return null;
  if (attempt) {
    await insertAttempt.run(tx, {
      id: attempt.id,
      delivery: delivery.id,
      startedAt: attempt.startedAt,
      durationMs: attempt.durationMs,
      status: attempt.status ?? null,
      error: attempt.error ?? null,
      response: attempt.response ?? null,
    });
  }
  await settle.run(tx, {
    id: delivery.id,
    state,
    attempts: delivery.attempts + (attempt ? 1 : 0),
    nextAt: args.nextAt,
    status: attempt?.status ?? null,
    error: args.error ?? null,
    doneAt: state === 'pending' ? null : now,
  });
  if (state !== 'pending') await beginNext(tx, delivery, now);
  return null;
};

async function beginNext(tx: Executor, delivery: Delivery, now: number): Promise<void> {
  const { webhook_id: webhook, stream_id: stream } = delivery;
  const next = await nextOfStream.get(tx, { webhook, stream });
  if (next) await begin.run(tx, { id: next.id, now });
}

export const redeliver: Command<'Redeliver'> = async (tx, { id, deliveryId, now }) => {
  const delivery = await findDelivery.get(tx, { id: deliveryId });
  if (!delivery) throw refuse('not-found', 'There is no such delivery.');
  await addDelivery(tx, {
    ...{ id, webhook: delivery.webhook_id, event: delivery.event_id, now },
    ...{ position: delivery.event_position, stream: delivery.stream_id },
    ...{ sequence: delivery.sequence, type: delivery.type },
  });
  return null;
};
