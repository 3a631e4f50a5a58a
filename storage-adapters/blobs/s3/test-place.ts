import { ListMultipartUploadsCommand, paginateListObjectsV2, S3Client } from '@aws-sdk/client-s3';
import type { S3Server } from '../../../conformance/tools/versitygw.ts';
import type { Subject } from '../../contract/blob-store.ts';
import { isKey } from '../keys.ts';
import type { S3BlobStoreOptions } from './options.ts';
import { createS3BlobStore } from './store.ts';

/** The smallest part that S3 takes: the suites stay quick. */
export const unit = 5 << 20;

/** Options for a store on `server`, reached at `endpoint` (a proxy's, or its own). */
export function storeOptions(
  server: S3Server,
  more: Partial<S3BlobStoreOptions> = {},
): S3BlobStoreOptions {
  const { bucket, endpoint, region, credentials } = server;
  return { bucket, endpoint, region, credentials, prefix: 'some/folder', partSize: unit, ...more };
}

/** The place for the contract suite; `held` asks the server itself. */
export function s3Subject(server: S3Server, more: Partial<S3BlobStoreOptions> = {}): Subject {
  const options = storeOptions(server, more);
  return {
    open: async () => createS3BlobStore(options),
    unit,
    unfinishedShows: 'from the first state',
    held: () => held(server, `${options.prefix}/`),
    openDescriptors: async () => [],
  };
}

async function held(server: S3Server, root: string): Promise<string[]> {
  const { bucket: Bucket, endpoint, region, credentials } = server;
  const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
  try {
    const found: string[] = [];
    for await (const page of paginateListObjectsV2({ client }, { Bucket })) {
      for (const { Key = '' } of page.Contents ?? []) {
        const key = Key.startsWith(root) ? Key.slice(root.length) : '';
        found.push(isKey(key) ? key : `object ${Key}`);
      }
    }
    const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket }));
    found.push(...Uploads.map((upload) => `multipart upload of ${upload.Key}`));
    return found.sort();
  } finally {
    client.destroy();
  }
}
