import { DAY, duration, HOUR, SECOND, type SettingSchema } from './setting-schema.ts';

/** What clients' connections may do, and for how long. */
export const connectionSettings = {
  headersTimeout: {
    ...duration(100, HOUR, 'from 100ms to 1h'),
    default: '30s',
    description: 'How long a client may take to send the headers of a request.',
    example: '15s',
  },
  bodyTimeout: {
    ...duration(100, DAY, 'from 100ms to 24h'),
    default: '60s',
    description:
      'How long a request body may make no progress. There is no limit on a whole upload.',
    example: '2m',
  },
  keepAlive: {
    ...duration(SECOND, DAY, 'from 1s to 24h'),
    default: '125s',
    description:
      'How long an idle connection stays open: longer than any proxy in front keeps its own (nginx 60 s, Caddy 120 s).',
    example: '10m',
  },
  drainDelay: {
    ...duration(0, HOUR, 'from 0s to 1h'),
    default: '0s',
    description:
      'How long Gantry goes on as before after SIGTERM, except that /readyz answers 503: load balancers turn to other replicas before this one takes no more connections.',
    example: '5s',
  },
  drainTimeout: {
    ...duration(0, DAY, 'from 0s to 24h'),
    default: '30s',
    description: 'How long requests in flight may still run after SIGTERM.',
    example: '2m',
  },
} as const satisfies Record<string, SettingSchema>;
