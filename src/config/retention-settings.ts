import { DAY, duration, type SettingSchema } from './setting-schema.ts';

/** Settings of what was deleted, and of what is kept. */
export const retentionSettings = {
  undeleteFor: {
    ...duration(0, 365 * DAY, 'from 0s to 365d; 0s: what is deleted does not come back'),
    default: '7d',
    description:
      'How long a deleted manifest, with its tags, can be restored. Its bytes count as stored until then.',
    example: '30d',
  },
  retentionInterval: {
    ...duration(0, 20 * DAY, 'from 0s to 20d; 0s: only when someone asks'),
    default: '24h',
    description: 'How often images go that the rules of their repositories keep no longer.',
    example: '12h',
  },
} as const satisfies Record<string, SettingSchema>;
