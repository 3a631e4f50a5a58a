import { DAY, duration, HOUR, MINUTE, SECOND, type SettingSchema } from './setting-schema.ts';

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
  webhookTimeout: {
    ...duration(100, MINUTE, 'from 100ms to 1m'),
    default: '10s',
    description: 'How long the receiver of a webhook may take to answer.',
    example: '5s',
  },
  webhookAttempts: {
    type: 'integer',
    minimum: 1,
    maximum: 100,
    default: 10,
    description:
      'How often a webhook delivery is tried before it is given up (it can be sent again by hand).',
    allowed: 'a whole number from 1 to 100',
    example: '5',
  },
  webhookBackoff: {
    ...duration(10, HOUR, 'from 10ms to 1h'),
    default: '5s',
    description:
      'How long is waited before the second attempt; each further wait is four times as long, at most 6h.',
    example: '30s',
  },
  webhookExpiry: {
    ...duration(SECOND, 30 * DAY, 'from 1s to 30d'),
    default: '3d',
    description: 'A webhook delivery that is older is given up, sent or not.',
    example: '1d',
  },
  auditRetention: {
    ...duration(HOUR, 3650 * DAY, 'from 1h to 3650d'),
    default: '365d',
    description: 'How long the audit log is kept.',
    example: '90d',
  },
} as const satisfies Record<string, SettingSchema>;
