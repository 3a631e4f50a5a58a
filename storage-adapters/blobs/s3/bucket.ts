import type { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  PutObjectCommand,
  paginateListObjectsV2,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { readBody } from './body-reader.ts';
import type { S3Clients } from './client.ts';
import { isMissing, isMissingUpload } from './errors.ts';
import type { S3Settings } from './options.ts';

/** A part that the server holds: its number from 1, its bytes, and what completing needs. */
export interface Part extends CompletedPart {
  readonly PartNumber: number;
  readonly size: number;
}

/** The requests that the store makes, by object name. Failures are the SDK's. */
export class Bucket {
  readonly #clients: S3Clients;
  readonly #bucket: string;
  readonly #settings: S3Settings;

  constructor(clients: S3Clients, settings: S3Settings) {
    this.#clients = clients;
    this.#bucket = settings.bucket;
    this.#settings = settings;
  }

  /** Bytes of the object, or undefined where there is none. */
  async size(name: string): Promise<number | undefined> {
    try {
      const command = new HeadObjectCommand(this.#of(name));
      return (await this.#clients.quick.send(command)).ContentLength;
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  async get(name: string, range?: string): Promise<{ body: Readable; size: number | undefined }> {
    const command = new GetObjectCommand({
      ...this.#of(name),
      ...(range === undefined ? {} : { Range: range }),
    });
    const answer = await this.#clients.patient.send(command);
    return {
      body: readBody(answer.Body as Readable, this.#settings.idleTimeout),
      size: answer.ContentLength,
    };
  }

  async put(name: string, body: Buffer, abortSignal: AbortSignal): Promise<void> {
    const command = new PutObjectCommand({
      ...this.#of(name),
      Body: body,
      ContentLength: body.length,
      ContentType: 'application/octet-stream',
    });
    await this.#clients.quick.send(command, { abortSignal });
  }

  async delete(name: string): Promise<void> {
    await this.#clients.quick.send(new DeleteObjectCommand(this.#of(name)));
  }

  /** Removes all objects whose names begin with `prefix`, which is one upload's: a handful. */
  async deleteAll(prefix: string): Promise<void> {
    const pages = paginateListObjectsV2(
      { client: this.#clients.quick },
      { Bucket: this.#bucket, Prefix: prefix },
    );
    for await (const page of pages) {
      await Promise.all((page.Contents ?? []).map((object) => this.delete(object.Key!)));
    }
  }

  /** Names directly under the folder `root`, which ends in `/` or is empty, in byte order. */
  async *list(root: string, after: string): AsyncIterable<string> {
    const pages = paginateListObjectsV2(
      { client: this.#clients.quick },
      { Bucket: this.#bucket, Prefix: root, Delimiter: '/', StartAfter: root + after },
    );
    for await (const page of pages) {
      for (const object of page.Contents ?? []) yield object.Key!.slice(root.length);
    }
  }

  /** `retried`: the server may have begun more uploads than the one that it told of. */
  async createUpload(name: string): Promise<{ id: string; retried: boolean }> {
    const { quick } = this.#clients;
    // Parts carry the checksum that was agreed on here; the setting is the one that the SDK goes by for them.
    const checksums = (await quick.config.requestChecksumCalculation()) === 'WHEN_SUPPORTED';
    const command = new CreateMultipartUploadCommand({
      ...this.#of(name),
      ContentType: 'application/octet-stream',
      ...(checksums ? { ChecksumAlgorithm: 'CRC32' } : {}),
    });
    const answer = await quick.send(command);
    return { id: answer.UploadId!, retried: (answer.$metadata.attempts ?? 1) > 1 };
  }

  async uploadPart(
    name: string,
    uploadId: string,
    number: number,
    body: Buffer,
    abortSignal: AbortSignal,
  ): Promise<Part> {
    const command = new UploadPartCommand({
      ...this.#of(name),
      UploadId: uploadId,
      PartNumber: number,
      Body: body,
      ContentLength: body.length,
    });
    const answer = await this.#clients.quick.send(command, { abortSignal });
    return { ...completedPart({ ...answer, PartNumber: number }), size: body.length };
  }

  /** The parts that the server holds, or undefined where it knows no such upload. */
  async parts(name: string, uploadId: string): Promise<Part[] | undefined> {
    try {
      const found: Part[] = [];
      let after: string | undefined;
      // Not by the SDK's paginator: it goes on while a next marker is named, and some servers name one for ever.
      for (let more = true; more; ) {
        const page = await this.#clients.quick.send(
          new ListPartsCommand({ ...this.#of(name), UploadId: uploadId, PartNumberMarker: after }),
        );
        const parts = page.Parts ?? [];
        found.push(...parts.map((part) => ({ ...completedPart(part), size: part.Size ?? 0 })));
        after = page.NextPartNumberMarker;
        more = page.IsTruncated === true && parts.length > 0;
      }
      return found;
    } catch (error) {
      if (isMissingUpload(error)) return undefined;
      throw error;
    }
  }

  async completeUpload(name: string, uploadId: string, parts: readonly Part[]): Promise<void> {
    const command = new CompleteMultipartUploadCommand({
      ...this.#of(name),
      UploadId: uploadId,
      MultipartUpload: { Parts: parts.map(({ size: _, ...part }) => part) },
    });
    await this.#clients.patient.send(command, { requestTimeout: this.#settings.completeTimeout });
  }

  async abortUpload(name: string, uploadId: string): Promise<void> {
    try {
      const command = new AbortMultipartUploadCommand({ ...this.#of(name), UploadId: uploadId });
      await this.#clients.quick.send(command);
    } catch (error) {
      if (!isMissingUpload(error)) throw error;
    }
  }

  /** Aborts every upload to exactly this name. It asks for one name: no walk over the bucket's uploads. */
  async abortUploads(name: string): Promise<void> {
    const command = new ListMultipartUploadsCommand({ Bucket: this.#bucket, Prefix: name });
    const { Uploads = [] } = await this.#clients.quick.send(command);
    const ours = Uploads.filter((upload) => upload.Key === name);
    await Promise.all(ours.map((upload) => this.abortUpload(name, upload.UploadId!)));
  }

  #of(name: string): { readonly Bucket: string; readonly Key: string } {
    return { Bucket: this.#bucket, Key: name };
  }
}

/** What completing takes of a part. The checksum is named again: S3 checks that it joins what was sent. */
function completedPart(part: CompletedPart): CompletedPart & { readonly PartNumber: number } {
  return {
    PartNumber: part.PartNumber!,
    ...(part.ETag === undefined ? {} : { ETag: part.ETag }),
    ...(part.ChecksumCRC32 === undefined ? {} : { ChecksumCRC32: part.ChecksumCRC32 }),
  };
}
