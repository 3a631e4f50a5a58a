import { mayAct } from '../../auth/authorizer.ts';
import { toCloudEventJson } from '../../events/envelope.ts';
import { isWebhookSecret } from '../../events/webhook-secrets.ts';
import { refuse } from '../../oci/errors.ts';
import { allEventTypes, type EventType } from '../../ports/outbox.ts';
import type { Delivery, Webhook, WebhookAttempt } from '../../ports/webhooks.ts';
import type { Call } from './route.ts';
import {
  list,
  nullable,
  object,
  oneOf,
  type Schema,
  slug,
  text,
  time,
  title,
  toTime,
} from './schema.ts';

const eventType: Schema = oneOf(...allEventTypes);
const types = nullable(
  list(eventType, { uniqueItems: true, minItems: 1, maxItems: allEventTypes.length }),
);
const project = nullable(slug);
const url: Schema = text(2048, {
  format: 'uri',
  description: 'A public https address. Others only where the operator allows them.',
  examples: ['https://hooks.example.com/gantry'],
});
/** Base64 of RFC 4648, whose unused bits are zero. */
const quantum = '[A-Za-z0-9+/]{4}';
const oneByte = '[A-Za-z0-9+/][AQgw]==';
const twoBytes = '[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=';
export const secret: Schema = {
  type: 'string',
  pattern: `^whsec_(?:(?:${quantum}){8,20}(?:${oneByte}|${twoBytes})?|(?:${quantum}){21}(?:${oneByte})?)$`,
  maxLength: 96,
  description: '`whsec_` and 24 to 64 random bytes in base64, as Standard Webhooks has it.',
};

const fields = {
  id: { type: 'string' },
  name: { type: 'string' },
  url: { type: 'string' },
  project: nullable({ type: 'string', description: "The project's slug; null: the whole team." }),
  types: nullable(list(eventType, { description: 'Null: all types.' })),
  enabled: { type: 'boolean' },
  createdAt: time,
  createdBy: { type: 'string' },
  updatedAt: time,
} satisfies Record<string, Schema>;

export const webhookSchema = object(fields, { title: 'Webhook' });
export const newWebhookSchema = object(
  {
    ...fields,
    secret: { ...secret, description: 'Shown this once: messages are signed with it.' },
  },
  { title: 'NewWebhook' },
);

const changeable = {
  name: title,
  url,
  project: { ...project, description: 'Only events of this project, by its slug; null: all.' },
  types: { ...types, description: 'Only these types; null: all.' },
  enabled: { type: 'boolean', description: 'Whether events are sent; true unless given.' },
} satisfies Record<string, Schema>;

export const webhookBody = object(
  { ...changeable, secret },
  { optional: ['project', 'types', 'enabled', 'secret'], title: 'WebhookRequest' },
);
export const webhookChange = object(changeable, {
  optional: Object.keys(changeable),
  title: 'WebhookChange',
});

export interface WebhookRequest {
  readonly name: string;
  readonly url: string;
  readonly project?: string | null;
  readonly types?: readonly EventType[] | null;
  readonly enabled?: boolean;
  readonly secret?: string;
}

const attempt = object(
  {
    startedAt: time,
    durationMs: { type: 'integer' },
    status: nullable({ type: 'integer', description: 'Null: there was no answer.' }),
    error: nullable({ type: 'string' }),
    response: nullable({ type: 'string', description: "The first bytes of the answer's body." }),
  },
  { title: 'WebhookAttempt' },
);
const deliveryFields = {
  id: { type: 'string' },
  eventId: { type: 'string' },
  type: eventType,
  state: {
    ...oneOf('waiting', 'pending', 'delivered', 'dead'),
    description:
      'waiting: one of the same repository goes first; pending: is sent at nextAt; dead: given up.',
  },
  attempts: { type: 'integer' },
  nextAt: nullable(time),
  lastStatus: nullable({ type: 'integer' }),
  lastError: nullable({ type: 'string' }),
  createdAt: time,
  endedAt: nullable(time),
} satisfies Record<string, Schema>;

export const deliverySchema = object(deliveryFields, { title: 'WebhookDelivery' });
export const deliveryDetails = object(
  {
    ...deliveryFields,
    log: list(attempt, { description: 'Every attempt, the oldest first.' }),
    event: nullable({
      type: 'object',
      description: 'The CloudEvent that is sent; null where it is no longer kept.',
    }),
  },
  { title: 'WebhookDeliveryDetails' },
);
export const testResult = object(
  { delivered: { type: 'boolean' }, ...attempt.properties },
  { title: 'WebhookTest' },
);

/** The webhook of the path. Throws `not-found`, for those of other teams, too. */
export async function webhookOf({ services, params, team }: Call): Promise<Webhook> {
  const found = await services.metadata.webhooks.find(params.webhook!);
  if (found?.teamId === team.id) return found;
  throw refuse('not-found', 'The team has no such webhook.', 'List them: GET …/webhooks.');
}

export async function webhookViews({ services }: Call, rows: readonly Webhook[]) {
  const ids = rows.flatMap(({ projectId }) => projectId ?? []);
  const projects = ids.length > 0 ? await services.metadata.projects.findByIds(ids) : [];
  const slugs = new Map(projects.map(({ id, slug }) => [id, slug]));
  return rows.map((row) => ({
    ...{ id: row.id, name: row.name, url: row.url },
    project: row.projectId === undefined ? null : (slugs.get(row.projectId) ?? null),
    types: row.types ?? null,
    enabled: row.enabled,
    createdAt: toTime(row.createdAt),
    createdBy: row.createdBy,
    updatedAt: toTime(row.updatedAt),
  }));
}

/** Id of the project that a body names. Throws `invalid` where the team has none of that slug. */
export async function projectIdOf(
  { services, team, identity }: Call,
  named: string | null | undefined,
): Promise<string | undefined> {
  if (named === undefined || named === null) return undefined;
  const found = await services.metadata.projects.findBySlugs(team.slug, named);
  const place = found && { teamId: team.id, projectId: found.id, visibility: 'private' as const };
  if (place && (identity.operator || mayAct(identity, place, 'manage'))) return place.projectId;
  throw refuse('invalid', `The team has no project "${named}".`, 'Give the slug of one it has.');
}

/** Throws `invalid`. */
export function checkSecret(given: string | undefined): void {
  if (given === undefined || isWebhookSecret(given)) return;
  throw refuse(
    'invalid',
    'The secret must be whsec_ and 24 to 64 bytes in base64.',
    'Leave it out, and one is made; or: echo "whsec_$(openssl rand -base64 32)"',
  );
}

export function deliveryView(row: Delivery) {
  return {
    ...{ id: row.id, eventId: row.eventId, type: row.type, state: row.state },
    attempts: row.attempts,
    nextAt: row.state === 'pending' ? toTime(row.nextAt) : null,
    lastStatus: row.lastStatus ?? null,
    lastError: row.lastError ?? null,
    createdAt: toTime(row.createdAt),
    endedAt: row.doneAt === undefined ? null : toTime(row.doneAt),
  };
}

export function attemptView(row: Omit<WebhookAttempt, 'id' | 'deliveryId'>) {
  return {
    startedAt: toTime(row.startedAt),
    durationMs: row.durationMs,
    status: row.status ?? null,
    error: row.error ?? null,
    response: row.response ?? null,
  };
}

export async function detailsView({ services }: Call, row: Delivery) {
  const { webhooks, events } = services.metadata;
  const event = await events.at(row.eventPosition);
  return {
    ...deliveryView(row),
    log: (await webhooks.attempts(row.id)).map(attemptView),
    event: event?.id === row.eventId ? (JSON.parse(toCloudEventJson(event)) as object) : null,
  };
}
