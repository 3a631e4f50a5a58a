import { bytes, type SettingSchema, text } from './setting-schema.ts';

/** Settings of plans and of their limits. */
export const planSettings = {
  plan: {
    ...text,
    enum: ['self-hosted', 'hobby', 'pro', 'enterprise'],
    default: 'self-hosted',
    description: 'The plan of new teams, which sets their limits.',
    allowed: 'self-hosted, hobby, pro or enterprise',
    example: 'pro',
  },
  layerLimit: {
    ...bytes(1, Number.MAX_SAFE_INTEGER, 'at least 1 byte'),
    absent: "each plan's own",
    description: 'The most compressed bytes of one layer, over all plans.',
    example: '20GB',
  },
  imageLimit: {
    ...bytes(1, Number.MAX_SAFE_INTEGER, 'at least 1 byte'),
    absent: "each plan's own",
    description: 'The most compressed bytes of one image (its layers and config), over all plans.',
    example: '100GB',
  },
  storageLimit: {
    ...bytes(1, Number.MAX_SAFE_INTEGER, 'at least 1 byte'),
    absent: 'no limit',
    description:
      'The most bytes that a team may store, over all plans. A blob counts once in each repository that holds it.',
    example: '500GB',
  },
  transferLimit: {
    ...bytes(1, Number.MAX_SAFE_INTEGER, 'at least 1 byte'),
    absent: 'no limit',
    description:
      'The most bytes that may be pulled from a team in a month (UTC), over all plans. Past it, pulls of blobs are denied.',
    example: '2TB',
  },
} as const satisfies Record<string, SettingSchema>;
