import { refuse } from '../../../oci/errors.ts';
import type { Delivery, DeliveryState, Webhook } from '../../../ports/webhooks.ts';
import { newId } from '../../../projects/ids.ts';
import { limitOf, pageQuery } from '../paging.ts';
import { created, ok } from '../reply.ts';
import type { Call, Route } from '../route.ts';
import { oneOf, page } from '../schema.ts';
import {
  deliveryDetails,
  deliverySchema,
  deliveryView,
  detailsView,
  webhookOf,
} from '../webhook-views.ts';

const access = { at: 'team', action: 'manage' } as const;
const tag = 'Webhooks';
const params = {
  webhook: { type: 'string', maxLength: 255, description: "The webhook's id." },
  delivery: { type: 'string', maxLength: 255, description: "The delivery's id." },
} as const;
const path = '/teams/{team}/webhooks/{webhook}/deliveries';

/** The log of what was sent to a webhook, and sending again. */
export const deliveryRoutes: readonly Route[] = [
  {
    ...{ method: 'GET', path, operationId: 'listDeliveries', tag, access },
    params: { webhook: params.webhook },
    summary: 'What was and will be sent to a webhook, the newest events first.',
    description: 'state=dead are the dead letters: those that were given up.',
    query: pageQuery({
      state: {
        ...oneOf('waiting', 'pending', 'delivered', 'dead'),
        description: 'Only those in this state.',
      },
    }),
    replies: { 200: { description: 'A page.', schema: page(deliverySchema, 'WebhookDeliveries') } },
    async handle(call) {
      const { cursors, metadata } = call.services;
      const { id } = await webhookOf(call);
      const state = call.query.state as DeliveryState | undefined;
      const scope = `deliveries:${id}:${state ?? ''}`;
      const place = cursors.read(scope, call.query.cursor);
      const before = place && { position: Number(place[0]), id: String(place[1]) };
      const limit = limitOf(call);
      const rows = await metadata.webhooks.deliveries(id, state, before, limit + 1);
      const { items, next } = cursors.page(scope, rows, limit, (row) => [
        row.eventPosition,
        row.id,
      ]);
      return ok({ items: items.map(deliveryView), next });
    },
  },
  {
    ...{ method: 'GET', path: `${path}/{delivery}`, operationId: 'getDelivery', tag },
    ...{ access, params },
    summary: 'A delivery with every attempt, and what is sent.',
    replies: { 200: { description: 'The delivery.', schema: deliveryDetails } },
    async handle(call) {
      return ok(await detailsView(call, await deliveryOf(call, await webhookOf(call))));
    },
  },
  {
    method: 'POST',
    path: `${path}/{delivery}/redeliver`,
    ...{ operationId: 'redeliver', tag, access, params },
    summary: 'Sends the same event once more, as a delivery of its own.',
    description:
      'It waits for those of its repository that have not ended. webhook-id is the same as before.',
    idempotent: true,
    replies: { 201: { description: 'The new delivery.', schema: deliveryDetails } },
    async handle(call) {
      const { services, team } = call;
      const webhook = await webhookOf(call);
      const old = await deliveryOf(call, webhook);
      const event = await services.metadata.events.at(old.eventPosition);
      if (event?.id !== old.eventId) {
        throw refuse(
          'conflict',
          'The event is no longer kept, and cannot be sent again.',
          'Events are kept as long as GANTRY_EVENT_RETENTION says.',
        );
      }
      const id = newId('dlv');
      const now = services.clock.now();
      await services.metadata.writer.run('Redeliver', { id, deliveryId: old.id, now });
      services.webhooks.wake();
      const made = (await services.metadata.webhooks.findDelivery(id))!;
      const view = await detailsView(call, made);
      return created(view, `/teams/${team.slug}/webhooks/${webhook.id}/deliveries/${id}`);
    },
  },
];

async function deliveryOf({ services, params }: Call, webhook: Webhook): Promise<Delivery> {
  const found = await services.metadata.webhooks.findDelivery(params.delivery!);
  if (found?.webhookId === webhook.id) return found;
  throw refuse('not-found', 'The webhook has no such delivery.', 'List them: GET …/deliveries.');
}
