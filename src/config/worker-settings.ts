import { type SettingSchema, text } from './setting-schema.ts';

/** How many processes one machine gives. */
export const workerSettings = {
  workers: {
    ...text,
    format: 'workers',
    default: '1',
    description:
      'Processes that answer clients of the registry. With more than 1, another one does what is done for all of them: it writes, runs functions and answers the API.',
    allowed: 'a whole number from 1 to 64, or auto for one a core',
    example: 'auto',
  },
} as const satisfies Record<string, SettingSchema>;
