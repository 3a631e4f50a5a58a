import type { Readable } from 'node:stream';
import { GetObjectCommand } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { RegistryError } from '../../../src/oci/errors.ts';
import type { ByteRange } from '../../../src/oci/range.ts';
import type { BlobStore, BlobWriter, RecordState } from '../../../src/ports/blob-store.ts';
import { isKey } from '../keys.ts';
import { createWriter } from '../writer.ts';
import { wrongLength } from './body-reader.ts';
import { Bucket } from './bucket.ts';
import { createClients, type S3Clients } from './client.ts';
import { dropUpload } from './drop-upload.ts';
import { isMissing, translate, translated } from './errors.ts';
import { FinishedSink } from './finished-sink.ts';
import { s3Keys } from './keys.ts';
import { resolveOptions, type S3BlobStoreOptions, type S3Settings } from './options.ts';
import { BufferPool } from './part-buffer.ts';
import { findUpload, uploadGone } from './resume-upload.ts';
import { Slots } from './slots.ts';
import { parseState } from './state.ts';
import { type UploadContext, UploadSink } from './upload-sink.ts';

/**
 * Blobs as objects of any server that speaks S3. Sends nothing by itself: a bucket that is not there or
 * a wrong key shows in the first call, as `unavailable` with the SDK's error as its cause.
 *
 * A bucket that crashes left something in is kept clean by two lifecycle rules: abort multipart uploads
 * that are a week old, and expire objects under `<prefix>/tails/` after a week (longer than an upload lives).
 */
export function createS3BlobStore(options: S3BlobStoreOptions): BlobStore {
  const settings = resolveOptions(options);
  return new S3BlobStore(settings, createClients(settings));
}

class S3BlobStore implements BlobStore {
  readonly name = 's3';
  readonly minChunk: number;
  readonly #settings: S3Settings;
  readonly #clients: S3Clients;
  readonly #context: UploadContext;

  constructor(settings: S3Settings, clients: S3Clients) {
    this.minChunk = settings.partSize;
    this.#settings = settings;
    this.#clients = clients;
    this.#context = {
      bucket: new Bucket(clients, settings),
      keys: s3Keys(settings.prefix),
      pool: new BufferPool(settings.partSize, settings.concurrency),
      slots: new Slots(settings.maxPartsInFlight),
      concurrency: settings.concurrency,
    };
  }

  async stat(key: string): Promise<{ size: number } | undefined> {
    const { bucket, keys } = this.#context;
    const size = await translated(bucket.size(keys.blob(key)));
    return size === undefined ? undefined : { size };
  }

  async open(key: string, range?: ByteRange): Promise<Readable> {
    const { bucket, keys } = this.#context;
    const wanted = range && `bytes=${range.start}-${range.end}`;
    const { body, size } = await bucket.get(keys.blob(key), wanted).catch((error: unknown) => {
      throw isMissing(error) ? blobGone(key, error) : translate(error);
    });
    const length = range ? range.end - range.start + 1 : size;
    if (length === undefined || size !== length) {
      body.destroy();
      throw wrongLength(length ?? 0, size);
    }
    return body;
  }

  async create(key: string, record?: RecordState): Promise<BlobWriter> {
    return createWriter(key, 0, new UploadSink(this.#context, key, record));
  }

  async resume(key: string, text: string, record?: RecordState): Promise<BlobWriter> {
    const state = parseState(text);
    if (state === undefined) throw uploadGone();
    const found = await translated(findUpload(this.#context, key, state));
    return createWriter(
      key,
      state.offset,
      found === 'finished'
        ? new FinishedSink(this.#context, key, text)
        : new UploadSink(this.#context, key, record, found),
    );
  }

  async delete(key: string): Promise<void> {
    const { bucket, keys } = this.#context;
    await translated(bucket.delete(keys.blob(key)));
  }

  async abandon(key: string, state: string): Promise<void> {
    await translated(dropUpload(this.#context, key, parseState(state)?.upload));
  }

  async *list(after = ''): AsyncIterable<string> {
    const { bucket, keys } = this.#context;
    try {
      for await (const name of bucket.list(keys.root, after)) if (isKey(name)) yield name;
    } catch (error) {
      throw translate(error);
    }
  }

  async link(key: string): Promise<URL | undefined> {
    const { signer } = this.#clients;
    if (!signer) return undefined;
    const { bucket, linkLifetime } = this.#settings;
    const command = new GetObjectCommand({ Bucket: bucket, Key: this.#context.keys.blob(key) });
    const url = await translated(getSignedUrl(signer, command, { expiresIn: linkLifetime }));
    return new URL(url);
  }

  async close(): Promise<void> {
    this.#clients.quick.destroy();
    this.#clients.patient.destroy();
    this.#clients.signer?.destroy();
  }
}

function blobGone(key: string, cause: unknown): RegistryError {
  return new RegistryError(
    { kind: 'blob-unknown', message: 'The blob store holds no such blob.', detail: { key } },
    { cause },
  );
}
