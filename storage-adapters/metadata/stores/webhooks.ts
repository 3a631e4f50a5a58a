import type { EventType } from '../../../src/ports/outbox.ts';
import type {
  Delivery,
  DeliveryState,
  Webhook,
  WebhookAttempt,
  Webhooks,
} from '../../../src/ports/webhooks.ts';
import { type Executor, query, then } from '../database.ts';
import type { Builder } from '../schema.ts';
import type { ManagementSchema } from '../schema-management.ts';

type HookRow = ManagementSchema['webhooks'];
type DeliveryRow = ManagementSchema['webhook_deliveries'];
type AttemptRow = ManagementSchema['webhook_attempts'];

const find = query<{ id: string }, HookRow>((db, p) =>
  db.selectFrom('webhooks').selectAll().where('id', '=', p('id')),
);
const list = query<{ team: string; before: string; limit: number }, HookRow>((db, p) =>
  db
    .selectFrom('webhooks')
    .selectAll()
    .where('team_id', '=', p('team'))
    .where('id', '<', p('before'))
    .orderBy('id', 'desc')
    .limit(p('limit')),
);
const due = query<{ now: number; without: string; limit: number }, DeliveryRow>((db, p, dialect) =>
  db
    .selectFrom('webhook_deliveries as d')
    .innerJoin('webhooks as w', 'w.id', 'd.webhook_id')
    .selectAll('d')
    .where('d.state', '=', 'pending')
    .where('d.next_at', '<=', p('now'))
    .where('w.enabled', '=', 1)
    .where('d.webhook_id', 'not in', (e) =>
      e.selectFrom(dialect.elements(p('without')).as('busy')).select('busy.value'),
    )
    .orderBy('d.next_at')
    .limit(p('limit')),
);
const findDelivery = query<{ id: string }, DeliveryRow>((db, p) =>
  db.selectFrom('webhook_deliveries').selectAll().where('id', '=', p('id')),
);
interface Log {
  webhook: string;
  state: string;
  position: number;
  id: string;
  limit: number;
}
const log = (db: Builder, p: <K extends keyof Log>(name: K) => Log[K]) =>
  db
    .selectFrom('webhook_deliveries')
    .selectAll()
    .where('webhook_id', '=', p('webhook'))
    .where('event_position', '<=', p('position'))
    .where((e) => e.or([e('event_position', '<', p('position')), e('id', '<', p('id'))]))
    .orderBy('event_position', 'desc')
    .orderBy('id', 'desc')
    .limit(p('limit'));
const wholeLog = query<Log, DeliveryRow>((db, p) => log(db, p));
const logOfState = query<Log, DeliveryRow>((db, p) => log(db, p).where('state', '=', p('state')));
const attempts = query<{ delivery: string }, AttemptRow>((db, p) =>
  db
    .selectFrom('webhook_attempts')
    .selectAll()
    .where('delivery_id', '=', p('delivery'))
    .orderBy('started_at')
    .orderBy('id'),
);

const toWebhook = (row: HookRow): Webhook => ({
  id: row.id,
  teamId: row.team_id,
  projectId: row.project_id ?? undefined,
  name: row.name,
  url: row.url,
  types: row.types === null ? undefined : (JSON.parse(row.types) as EventType[]),
  sealedSecret: row.sealed_secret,
  enabled: row.enabled === 1,
  createdAt: row.created_at,
  createdBy: row.created_by,
  updatedAt: row.updated_at,
});

const toDelivery = (row: DeliveryRow): Delivery => ({
  id: row.id,
  webhookId: row.webhook_id,
  eventId: row.event_id,
  eventPosition: row.event_position,
  streamId: row.stream_id,
  type: row.type as EventType,
  state: row.state as DeliveryState,
  attempts: row.attempts,
  nextAt: row.next_at,
  lastStatus: row.last_status ?? undefined,
  lastError: row.last_error ?? undefined,
  createdAt: row.created_at,
  doneAt: row.done_at ?? undefined,
});

const toAttempt = (row: AttemptRow): WebhookAttempt => ({
  id: row.id,
  deliveryId: row.delivery_id,
  startedAt: row.started_at,
  durationMs: row.duration_ms,
  status: row.status ?? undefined,
  error: row.error ?? undefined,
  response: row.response ?? undefined,
});

/** After every id. */
const last = '~';
const end = { position: Number.MAX_SAFE_INTEGER, id: last };

export function webhooksStore(db: Executor): Webhooks {
  return {
    find: (id) => then(find.get(db, { id }), (row) => row && toWebhook(row)),
    list: (team, before = last, limit) =>
      then(list.all(db, { team, before, limit }), (rows) => rows.map(toWebhook)),
    due: (now, without, limit) =>
      then(due.all(db, { now, without: JSON.stringify(without), limit }), (rows) =>
        rows.map(toDelivery),
      ),
    findDelivery: (id) => then(findDelivery.get(db, { id }), (row) => row && toDelivery(row)),
    deliveries(webhook, state, before = end, limit) {
      const args = { webhook, state: state ?? '', ...before, limit };
      const rows = state === undefined ? wholeLog.all(db, args) : logOfState.all(db, args);
      return then(rows, (found) => found.map(toDelivery));
    },
    attempts: (delivery) => then(attempts.all(db, { delivery }), (rows) => rows.map(toAttempt)),
  };
}
