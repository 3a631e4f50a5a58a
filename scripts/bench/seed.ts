import { randomBytes } from 'node:crypto';
import { digestOf } from '../../src/oci/digest.ts';
import { ociConfig, ociManifest } from '../../src/oci/media-types.ts';
import type { Server } from './servers.ts';

/** The project that Gantry makes at its first start. */
export const project = 'my-team/my-project';

const layerType = 'application/vnd.oci.image.layer.v1.tar+gzip';

export interface SmallImage {
  readonly manifest: string;
  readonly mediaType: string;
  /** A layer's, for requests to blobs. */
  readonly layerDigest: string;
}

/** Pushes an image of a few kilobytes as `repository:latest`: what is measured on it is not its bytes. */
export async function pushSmallImage(server: Server, repository: string): Promise<SmallImage> {
  const headers = await server.headers(repository);
  const push = async (bytes: Buffer) => {
    const digest = digestOf(bytes);
    const begun = await expect(202, server, `/v2/${repository}/blobs/uploads/`, {
      method: 'POST',
      headers,
    });
    const target = new URL(begun.headers.get('location') ?? '', server.url);
    target.searchParams.set('digest', digest);
    await expect(201, server, target.href, {
      method: 'PUT',
      headers: { ...headers, 'content-type': 'application/octet-stream' },
      body: new Uint8Array(bytes),
    });
    return { digest, size: bytes.length };
  };
  const config = { architecture: 'amd64', os: 'linux', config: { Cmd: ['/none'] } };
  const layers: { mediaType: string; digest: string; size: number }[] = [];
  for (let at = 0; at < 5; at += 1) {
    layers.push({ mediaType: layerType, ...(await push(randomBytes(1000 + at))) });
  }
  const diffs = layers.map((layer) => layer.digest);
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: ociManifest,
    config: {
      mediaType: ociConfig,
      ...(await push(
        Buffer.from(JSON.stringify({ ...config, rootfs: { type: 'layers', diff_ids: diffs } })),
      )),
    },
    layers,
  });
  await expect(201, server, `/v2/${repository}/manifests/latest`, {
    method: 'PUT',
    headers: { ...headers, 'content-type': ociManifest },
    body: manifest,
  });
  return { manifest, mediaType: ociManifest, layerDigest: layers[0]!.digest };
}

export async function expect(
  status: number,
  server: Server,
  target: string,
  init: RequestInit,
): Promise<Response> {
  const answer = await fetch(new URL(target, server.url), init);
  if (answer.status === status) return answer;
  throw new Error(
    `${server.name}: ${init.method} ${target}: ${answer.status} ${await answer.text()}`,
  );
}
