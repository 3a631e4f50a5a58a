import { DAY, duration, MINUTE, type SettingSchema } from './setting-schema.ts';

/** Settings of events, webhooks and the audit log. */
export const eventSettings = {
  eventRetention: {
    ...duration(MINUTE, 3650 * DAY, 'from 1m to 3650d'),
    default: '30d',
    description:
      'How long events and the logs of webhook deliveries are kept. A live stream can go on from any event that is kept.',
    example: '7d',
  },
  eventLimit: {
    type: 'integer',
    minimum: 1000,
    maximum: 1_000_000_000,
    default: 1_000_000,
    description: 'How many events are kept at most, over all teams; the oldest go first.',
    allowed: 'a whole number from 1000 to 1000000000',
    example: '200000',
  },
} as const satisfies Record<string, SettingSchema>;
