import { groups } from '../callers.ts';
import { type Make, type Row, type Rows, type Sample, unique } from '../row.ts';
import type { Place } from '../world.ts';

const newWebhook = () => ({ name: unique('hook'), url: 'https://hooks.example.invalid/in' });

async function ownWebhook(place: Place, make: Make): Promise<Sample> {
  const { id } = await make(place, 'POST', `/teams/${place.team}/webhooks`, newWebhook());
  return { params: { webhook: id as string } };
}

/** One of the team's for all that does not destroy it: a team has so many and no more. */
async function webhook(place: Place, make: Make): Promise<Sample> {
  const { items } = await make(place, 'GET', `/teams/${place.team}/webhooks`);
  const [first] = items as { id: string }[];
  return first ? { params: { webhook: first.id } } : ownWebhook(place, make);
}

/** Of an event that happens after the webhook is made. */
async function delivery(place: Place, make: Make): Promise<Sample> {
  const { params } = await webhook(place, make);
  const path = `/teams/${place.team}`;
  await make(place, 'POST', `${path}/tokens`, { name: unique('token'), scope: 'read' });
  for (;;) {
    const log = await make(place, 'GET', `${path}/webhooks/${params!.webhook}/deliveries`);
    const [first] = log.items as { id: string }[];
    if (first) return { params: { ...params, delivery: first.id } };
  }
}

/** Who manages the team, at something of one of its webhooks. */
const ofWebhook: Row = { at: 'team', may: groups.manageTeam, sample: webhook };

/** Events, webhooks and the audit log. */
export const eventRows: Rows = {
  // Each hears of what it may know alone.
  streamEvents: { at: 'signed-in', may: groups.signedIn, stream: true },
  listEvents: { at: 'team', may: groups.knowTeam },

  listWebhooks: { at: 'team', may: groups.manageTeam },
  createWebhook: {
    ...{ at: 'team', may: groups.manageTeam },
    sample: () => ({ body: newWebhook() }),
    bodies: ({ project }) => [{ ...newWebhook(), project: `absent-${project}` }],
  },
  getWebhook: ofWebhook,
  updateWebhook: {
    ...ofWebhook,
    sample: async (place, make) => ({
      ...(await webhook(place, make)),
      body: { name: unique('hook') },
    }),
  },
  deleteWebhook: { ...ofWebhook, sample: ownWebhook },
  rotateWebhookSecret: {
    ...ofWebhook,
    sample: async (place, make) => ({ ...(await webhook(place, make)), body: {} }),
  },
  testWebhook: ofWebhook,
  listDeliveries: ofWebhook,
  getDelivery: { ...ofWebhook, sample: delivery },
  listAudit: { at: 'team', may: groups.manageTeam },
  exportAudit: { at: 'team', may: groups.manageTeam },
  listAuditOfAll: { at: 'operator', may: groups.operator },
  exportAuditOfAll: { at: 'operator', may: groups.operator },
  redeliver: { ...ofWebhook, sample: delivery },
};
