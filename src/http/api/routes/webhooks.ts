import type { Webhook } from '../../../ports/webhooks.ts';
import { newId } from '../../../projects/ids.ts';
import { limitOf, pageQuery } from '../paging.ts';
import { created, noContent, ok } from '../reply.ts';
import type { Call, Route } from '../route.ts';
import { object, page, time, toTime } from '../schema.ts';
import {
  attemptView,
  checkSecret,
  newWebhookSchema,
  projectIdOf,
  secret,
  testResult,
  type WebhookRequest,
  webhookBody,
  webhookChange,
  webhookOf,
  webhookSchema,
  webhookViews,
} from '../webhook-views.ts';

/** Each event is written down once for every webhook that wants it. */
const mostOfTeam = 50;

const access = { at: 'team', action: 'manage' } as const;
const tag = 'Webhooks';
const params = {
  webhook: { type: 'string', maxLength: 255, description: "The webhook's id." },
} as const;
const path = '/teams/{team}/webhooks';

export const webhookRoutes: readonly Route[] = [
  {
    ...{ method: 'GET', path, operationId: 'listWebhooks', tag, access },
    summary: "A team's webhooks, newest first.",
    query: pageQuery(),
    replies: { 200: { description: 'A page.', schema: page(webhookSchema, 'Webhooks') } },
    async handle(call) {
      const { cursors, metadata } = call.services;
      const scope = `webhooks:${call.team.id}`;
      const [before] = cursors.read(scope, call.query.cursor) ?? [];
      const limit = limitOf(call);
      const rows = await metadata.webhooks.list(call.team.id, before as string, limit + 1);
      const { items, next } = cursors.page(scope, rows, limit, (row) => [row.id]);
      return ok({ items: await webhookViews(call, items), next });
    },
  },
  {
    ...{ method: 'POST', path, operationId: 'createWebhook', tag, access },
    summary: "Has a team's events sent to an address. The secret is shown this once.",
    body: webhookBody,
    idempotent: true,
    replies: { 201: { description: 'The webhook.', schema: newWebhookSchema } },
    handle: createWebhook,
  },
  {
    ...{ method: 'GET', path: `${path}/{webhook}`, operationId: 'getWebhook', tag, access, params },
    summary: 'A webhook, without its secret.',
    replies: { 200: { description: 'The webhook.', schema: webhookSchema } },
    async handle(call) {
      const [view] = await webhookViews(call, [await webhookOf(call)]);
      return ok(view);
    },
  },
  {
    ...{ method: 'PATCH', path: `${path}/{webhook}`, operationId: 'updateWebhook', tag },
    ...{ access, params },
    summary: 'Changes a webhook. What waits to be sent goes to the new address.',
    body: webhookChange,
    replies: { 200: { description: 'The webhook.', schema: webhookSchema } },
    refusals: [409],
    handle: updateWebhook,
  },
  {
    ...{ method: 'DELETE', path: `${path}/{webhook}`, operationId: 'deleteWebhook', tag },
    ...{ access, params },
    summary: 'Removes a webhook and its log. What waits is not sent.',
    replies: { 204: { description: 'It is gone.' } },
    async handle(call) {
      const { id } = await webhookOf(call);
      await call.services.metadata.writer.run('DeleteWebhook', { id });
      return noContent;
    },
  },
  {
    method: 'POST',
    path: `${path}/{webhook}/rotate-secret`,
    ...{ operationId: 'rotateWebhookSecret', tag, access, params },
    summary: 'Gives a webhook another secret. Messages are signed with both for a day.',
    body: object({ secret }, { optional: ['secret'], title: 'WebhookRotation' }),
    replies: {
      200: {
        description: 'The new secret, shown this once.',
        schema: object(
          {
            secret,
            previousUntil: { ...time, description: 'Until then the one before signs, too.' },
          },
          { title: 'WebhookSecret' },
        ),
      },
    },
    async handle(call) {
      const { services, body } = call;
      const given = (body as { secret?: string }).secret;
      checkSecret(given);
      const webhook = await webhookOf(call);
      const rotated = services.webhooks.rotate(webhook, given);
      const { id } = webhook;
      const now = services.clock.now();
      const stored = { id, sealedSecret: rotated.sealed, now };
      await services.metadata.writer.run('SetWebhookSecret', stored);
      return ok({ secret: rotated.secret, previousUntil: toTime(rotated.until) });
    },
  },
  {
    method: 'POST',
    path: `${path}/{webhook}/test`,
    ...{ operationId: 'testWebhook', tag, access, params },
    summary: 'Sends an event of type webhook.test now, once, and says what came of it.',
    description: 'It is not in the log, and is sent to a webhook that is not enabled, too.',
    replies: { 200: { description: 'What came of it.', schema: testResult } },
    async handle(call) {
      const webhook = await webhookOf(call);
      const posted = await call.services.webhooks.test(webhook, call.identity.actor);
      return ok({ delivered: posted.error === undefined, ...attemptView(posted) });
    },
  },
];

async function createWebhook(call: Call) {
  const { services, identity, team } = call;
  const request = call.body as WebhookRequest;
  services.webhooks.checkUrl(request.url);
  checkSecret(request.secret);
  const id = newId('whk');
  const { secret, sealed } = services.webhooks.sealSecret(id, request.secret);
  const now = services.clock.now();
  const webhook: Webhook = {
    ...{ id, teamId: team.id, name: request.name, url: request.url },
    projectId: await projectIdOf(call, request.project),
    types: request.types ?? undefined,
    sealedSecret: sealed,
    enabled: request.enabled ?? true,
    ...{ createdAt: now, createdBy: identity.actor, updatedAt: now },
  };
  await services.metadata.writer.run('CreateWebhook', { webhook, most: mostOfTeam });
  const [view] = await webhookViews(call, [webhook]);
  return created({ ...view, secret }, `/teams/${team.slug}/webhooks/${id}`);
}

async function updateWebhook(call: Call) {
  const { services } = call;
  const change = call.body as Partial<WebhookRequest>;
  const webhook = await webhookOf(call);
  if (change.url !== undefined) services.webhooks.checkUrl(change.url);
  const { project, types } = change;
  const changed: Webhook = {
    ...webhook,
    name: change.name ?? webhook.name,
    url: change.url ?? webhook.url,
    projectId: project === undefined ? webhook.projectId : await projectIdOf(call, project),
    types: types === undefined ? webhook.types : (types ?? undefined),
    enabled: change.enabled ?? webhook.enabled,
    updatedAt: services.clock.now(),
  };
  await services.metadata.writer.run('UpdateWebhook', changed);
  services.webhooks.wake();
  const [view] = await webhookViews(call, [changed]);
  return ok(view);
}
