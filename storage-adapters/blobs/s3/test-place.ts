import {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  ListMultipartUploadsCommand,
  paginateListObjectsV2,
  S3Client,
} from '@aws-sdk/client-s3';
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
    clear: () => clear(server),
    openDescriptors: async () => [],
  };
}

async function held(server: S3Server, root: string): Promise<string[]> {
  const { objects, uploads } = await everything(server);
  const names = objects.map((name) => {
    const key = name.startsWith(root) ? name.slice(root.length) : '';
    return isKey(key) ? key : `object ${name}`;
  });
  return [...names, ...uploads.map(({ Key }) => `multipart upload of ${Key}`)].sort();
}

async function clear(server: S3Server): Promise<void> {
  const { objects, uploads } = await everything(server);
  const { bucket: Bucket } = server;
  await withClient(server, async (client) => {
    for (const Key of objects) await client.send(new DeleteObjectCommand({ Bucket, Key }));
    for (const { Key, UploadId } of uploads) {
      await client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }));
    }
  });
}

function everything(server: S3Server) {
  const { bucket: Bucket } = server;
  return withClient(server, async (client) => {
    const objects: string[] = [];
    for await (const page of paginateListObjectsV2({ client }, { Bucket })) {
      for (const { Key = '' } of page.Contents ?? []) objects.push(Key);
    }
    const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket }));
    return { objects, uploads: Uploads };
  });
}

async function withClient<T>(server: S3Server, work: (client: S3Client) => Promise<T>): Promise<T> {
  const { endpoint, region, credentials } = server;
  const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
  try {
    return await work(client);
  } finally {
    client.destroy();
  }
}
