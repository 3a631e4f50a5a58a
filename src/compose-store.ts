import { createFilesystemBlobStore } from '../storage-adapters/blobs/filesystem/store.ts';
import type { Config } from './config/config.ts';
import { plansWith } from './config/plans.ts';
import type { BlobStore } from './ports/blob-store.ts';

/** The blob store that the settings choose. */
export async function openBlobStore(config: Config): Promise<BlobStore> {
  const { storage, s3 } = config;
  if (storage.type === 'filesystem') {
    return createFilesystemBlobStore({ folder: config.blobs });
  }
  // Loaded where it is used: the SDK is large.
  const { createS3BlobStore } = await import('../storage-adapters/blobs/s3/store.ts');
  return createS3BlobStore({
    bucket: storage.bucket,
    prefix: storage.prefix,
    ...(s3.endpoint && { endpoint: s3.endpoint }),
    ...(s3.publicEndpoint && { publicEndpoint: s3.publicEndpoint }),
    ...(s3.region && { region: s3.region }),
    redirect: s3.redirect,
    forcePathStyle: s3.pathStyle,
    maxLayerSize: Math.max(...Object.values(plansWith(config)).map((plan) => plan.layer)),
  });
}
