import { bytes, DAY, duration, type SettingSchema } from './setting-schema.ts';

/** Settings of the collection of what nothing names. */
export const collectionSettings = {
  collectInterval: {
    ...duration(0, 30 * DAY, 'from 0s to 30d; 0s: only when an operator asks'),
    default: '10m',
    description:
      'How often blobs that no manifest names any more are collected. Pushes and pulls go on meanwhile.',
    example: '1h',
  },
  collectLease: {
    ...duration(1_000, 30 * DAY, 'from 1s to 30d'),
    default: '24h',
    description:
      'How long a blob that no manifest names is kept since it was pushed, mounted, or asked for by who may push. A push has to name it within.',
    example: '12h',
  },
  collectDelay: {
    ...duration(0, 365 * DAY, 'from 0s to 365d'),
    default: '24h',
    description:
      'How long the bytes of a collected blob stay in the store. Longer than a backup takes: one of the database, then of the store, is then whole.',
    example: '48h',
  },
  scrubInterval: {
    ...duration(0, 3650 * DAY, 'from 0s to 3650d; 0s: only when an operator asks'),
    default: '30d',
    description:
      'How often the bytes of each blob are read anew and compared with its digest, the oldest first. What is damaged is quarantined.',
    example: '90d',
  },
  scrubRate: {
    ...bytes(64 << 10, 100 * 2 ** 30, 'from 64KiB to 100GiB'),
    default: '8MiB',
    description: 'How much of it is read in a second. 8MiB are 20 TB in 30 days.',
    example: '50MB',
  },
} as const satisfies Record<string, SettingSchema>;
