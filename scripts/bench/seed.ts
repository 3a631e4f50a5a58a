import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { tar } from '../../conformance/clients/support/tar.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { ociConfig, ociManifest } from '../../src/oci/media-types.ts';
import type { TagAnswer, TagOrder } from './clients/push-tags.ts';
import { runClient } from './clients/run-client.ts';
import type { Server } from './servers.ts';

/** The project that Gantry makes at its first start. */
export const project = 'my-team/my-project';

const layerType = 'application/vnd.oci.image.layer.v1.tar+gzip';

/** An image of a few kilobytes: what is measured on it is not its bytes. */
export interface SmallImage {
  readonly manifest: string;
  readonly mediaType: string;
  /** A layer's, for requests to blobs. */
  readonly layerDigest: string;
  readonly blobs: readonly Buffer[];
}

export function makeSmallImage(): SmallImage {
  const archives = Array.from({ length: 5 }, (_, at) =>
    tar([{ name: `file-${at}`, bytes: randomBytes(1000), mode: 0o644 }]),
  );
  const layers = archives.map((bytes) => gzipSync(bytes));
  const descriptors = layers.map((bytes) => descriptor(layerType, bytes));
  const config = Buffer.from(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      config: { Cmd: ['/none'] },
      rootfs: { type: 'layers', diff_ids: archives.map((bytes) => digestOf(bytes)) },
    }),
  );
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: ociManifest,
    config: descriptor(ociConfig, config),
    layers: descriptors,
  });
  return {
    manifest,
    mediaType: ociManifest,
    layerDigest: descriptors[0]!.digest,
    blobs: [config, ...layers],
  };
}

function descriptor(mediaType: string, bytes: Buffer) {
  return { mediaType, digest: digestOf(bytes), size: bytes.length };
}

/** Pushes it as `repository:latest`. */
export async function pushSmallImage(
  server: Server,
  repository: string,
  image: SmallImage,
): Promise<void> {
  const headers = await server.headers(repository);
  for (const bytes of image.blobs) {
    const begun = await expect(202, server, `/v2/${repository}/blobs/uploads/`, {
      method: 'POST',
      headers,
    });
    const target = new URL(begun.headers.get('location') ?? '', server.url);
    target.searchParams.set('digest', digestOf(bytes));
    await expect(201, server, target.href, {
      method: 'PUT',
      headers: { ...headers, 'content-type': 'application/octet-stream' },
      body: new Uint8Array(bytes),
    });
  }
  await expect(201, server, `/v2/${repository}/manifests/latest`, {
    method: 'PUT',
    headers: { ...headers, 'content-type': image.mediaType },
    body: image.manifest,
  });
}

/** Tags the image `count` times, from tag number `from` on, eight pushes at once. */
export async function pushTags(
  server: Server,
  repository: string,
  image: SmallImage,
  { from, count }: { from: number; count: number },
): Promise<TagAnswer> {
  const order: TagOrder = {
    url: server.url,
    repository,
    headers: await server.headers(repository),
    mediaType: image.mediaType,
    manifest: image.manifest,
    from,
    count,
    atOnce: 8,
  };
  return await runClient<TagAnswer>('push-tags.ts', order);
}

export async function expect(
  status: number,
  server: Pick<Server, 'name' | 'url'>,
  target: string,
  init: RequestInit,
): Promise<Response> {
  const answer = await fetch(new URL(target, server.url), init);
  if (answer.status === status) return answer;
  throw new Error(
    `${server.name}: ${init.method} ${target}: ${answer.status} ${await answer.text()}`,
  );
}
