import { DAY, duration, type SettingSchema } from './setting-schema.ts';

/** Settings of the collection of what nothing names. */
export const collectionSettings = {
  collectInterval: {
    ...duration(0, 30 * DAY, 'from 0s to 30d; 0s: only when an operator asks'),
    default: '10m',
    description:
      'How often blobs that no manifest names any more are collected. Pushes and pulls go on meanwhile.',
    example: '1h',
  },
  collectDelay: {
    ...duration(0, 365 * DAY, 'from 0s to 365d'),
    default: '24h',
    description:
      'How long the bytes of a collected blob stay in the store. Longer than a backup takes: one of the database, then of the store, is then whole.',
    example: '48h',
  },
} as const satisfies Record<string, SettingSchema>;
