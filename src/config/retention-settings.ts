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
} as const satisfies Record<string, SettingSchema>;
