import type { SettingSchema } from './setting-schema.ts';

const rate = {
  type: 'integer',
  minimum: 0,
  maximum: 1_000_000_000,
  allowed: 'a whole number, 0 for no limit',
} as const;

const per = 'Per minute, by identity, or by address where there is none.';

/** Rate limits: those of one process. */
export const rateSettings = {
  rateLoginFailures: {
    ...rate,
    default: 30,
    description:
      'Failed logins per minute, of one address with one username; of one address with any, ten times as many. IPv6 addresses count by /64.',
    example: '10',
  },
  rateToken: {
    ...rate,
    default: 6000,
    description: 'Requests for tokens (/token, /oauth/token) per minute, by address.',
    example: '600',
  },
  rateApiReads: {
    ...rate,
    default: 12_000,
    description: `Reads of the API. ${per}`,
    example: '1000',
  },
  rateApiWrites: {
    ...rate,
    default: 6000,
    description: `Changes by the API. ${per}`,
    example: '300',
  },
  rateManifests: {
    ...rate,
    default: 0,
    description: `Requests under /v2/ for manifests, tags and referrers, of pulls and pushes. ${per}`,
    example: '5000',
  },
  rateBlobs: {
    ...rate,
    default: 0,
    description: `Requests under /v2/ for blobs and uploads, of pulls and pushes. ${per}`,
    example: '20000',
  },
} as const satisfies Record<string, SettingSchema>;
