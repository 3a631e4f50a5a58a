import type { FunctionVolume } from '../../../ports/functions.ts';
import { list, nullable, object, oneOf, time, toTime } from '../schema.ts';

const attachment = object(
  {
    service: { type: 'string' },
    path: { type: 'string', description: 'In the container.' },
    readOnly: { type: 'boolean' },
    deployments: list(
      { type: 'string' },
      {
        description: 'Of environments that run the service so: empty until it is deployed with it.',
      },
    ),
  },
  { title: 'VolumeAttachment' },
);
const bucketView = object(
  {
    endpoint: nullable({ type: 'string' }),
    region: nullable({ type: 'string' }),
    bucket: { type: 'string' },
    prefix: { type: 'string' },
  },
  { title: 'VolumeBucket', description: 'Its keys are never shown.' },
);
const fields = {
  id: { type: 'string' },
  name: { type: 'string' },
  kind: oneOf('disk', 'bucket'),
  bucket: nullable(bucketView),
  maxBytes: nullable({
    type: 'integer',
    description: 'That a disk may hold; null: as many as there is room for.',
  }),
  createdAt: time,
  createdBy: { type: 'string' },
} as const;
export const volume = object(fields, { title: 'Volume' });
export const volumeDetails = object(
  {
    ...fields,
    usedBytes: nullable({
      type: 'integer',
      description: 'That a disk holds, measured now; null where that cannot be told.',
    }),
    attachments: list(attachment),
  },
  { title: 'VolumeDetails' },
);

export function viewVolume({
  id,
  name,
  kind,
  bucket,
  maxBytes,
  createdAt,
  createdBy,
}: FunctionVolume) {
  return {
    ...{ id, name, kind, maxBytes: maxBytes ?? null, createdBy, createdAt: toTime(createdAt) },
    bucket: bucket
      ? {
          endpoint: bucket.endpoint ?? null,
          region: bucket.region ?? null,
          ...{ bucket: bucket.bucket, prefix: bucket.prefix },
        }
      : null,
  };
}
