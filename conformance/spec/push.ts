import assert from 'node:assert/strict';
import type { Bundle } from './bundles.ts';
import { expectHeader, expectStatus } from './check.ts';
import { type Answer, addQuery, type Registry } from './client.ts';
import { type Content, mediaTypes } from './content.ts';

export const octets = { 'content-type': mediaTypes.bytes } as const;

/** Begins an upload; the session's URL. */
export async function beginUpload(
  registry: Registry,
  repository: string,
  query: Readonly<Record<string, string>> = {},
): Promise<string> {
  const answer = await registry.ask('POST', `/v2/${repository}/blobs/uploads/`, { query });
  expectStatus(answer, 202);
  return answer.location();
}

/** Ends an upload, with the whole or the last bytes where given. */
export function closeUpload(
  registry: Registry,
  location: string,
  digest: string,
  body?: Uint8Array,
  headers: Readonly<Record<string, string>> = octets,
): Promise<Answer> {
  return registry.ask('PUT', addQuery(location, { digest }), { headers, ...(body && { body }) });
}

/** Sends the bytes from `start` on as one chunk. */
export function sendChunk(
  registry: Registry,
  location: string,
  bytes: Uint8Array,
  start: number,
): Promise<Answer> {
  const range = `${start}-${start + bytes.length - 1}`;
  return registry.ask('PATCH', location, {
    headers: { ...octets, 'content-range': range },
    body: bytes,
  });
}

/** What a finished push must say, and that its Location serves the bytes. */
export async function expectCreated(
  registry: Registry,
  answer: Answer,
  blob: Content,
): Promise<void> {
  expectStatus(answer, 201);
  expectHeader(answer, 'docker-content-digest', blob.digest);
  const got = expectStatus(await registry.get(answer.location()), 200);
  assert.ok(got.body.equals(blob.bytes), `${got.what}: other bytes than were pushed`);
}

export type PushMethod = 'post' | 'post-put' | 'chunks' | 'stream';

/** Pushes a blob in one of the specification's ways; the last answer. */
export async function pushBlob(
  registry: Registry,
  repository: string,
  { bytes, digest }: Content,
  method: PushMethod = 'post',
): Promise<Answer> {
  if (method === 'post')
    return registry.ask('POST', `/v2/${repository}/blobs/uploads/`, {
      query: { digest },
      headers: octets,
      body: bytes,
    });
  const algorithm = digest.slice(0, digest.indexOf(':'));
  const query: Record<string, string> =
    method === 'post-put' || algorithm === 'sha256' ? {} : { 'digest-algorithm': algorithm };
  let location = await beginUpload(registry, repository, query);
  if (method === 'post-put') return closeUpload(registry, location, digest, bytes);
  if (method === 'stream') {
    const pieces = [bytes.subarray(0, bytes.length >> 1), bytes.subarray(bytes.length >> 1)];
    const sent = await registry.ask('PATCH', location, { headers: octets, body: eachOf(pieces) });
    location = expectStatus(sent, 202).location();
    return closeUpload(registry, location, digest);
  }
  const size = Math.max(1, Math.ceil(bytes.length / 3));
  for (let start = 0; start < bytes.length; start += size) {
    const sent = await sendChunk(registry, location, bytes.subarray(start, start + size), start);
    location = expectStatus(sent, 202).location();
  }
  return closeUpload(registry, location, digest);
}

export async function* eachOf(pieces: readonly Uint8Array[]): AsyncIterable<Uint8Array> {
  for (const piece of pieces) if (piece.length > 0) yield piece;
}

export function putManifest(
  registry: Registry,
  repository: string,
  reference: string,
  { bytes, descriptor }: Pick<Content, 'bytes' | 'descriptor'>,
  query: Readonly<Record<string, string | readonly string[]>> = {},
): Promise<Answer> {
  return registry.ask('PUT', `/v2/${repository}/manifests/${reference}`, {
    query,
    headers: { 'content-type': descriptor.mediaType },
    body: bytes,
  });
}

/** Pushes all of it by digest, and `tag` on the last manifest where given. */
export async function pushBundle(
  registry: Registry,
  repository: string,
  bundle: Pick<Bundle, 'blobs' | 'manifests'>,
  tag?: string,
): Promise<void> {
  for (const blob of bundle.blobs) expectStatus(await pushBlob(registry, repository, blob), 201);
  for (const [at, item] of bundle.manifests.entries()) {
    const last = at === bundle.manifests.length - 1;
    const reference = last && tag !== undefined ? tag : item.digest;
    expectStatus(await putManifest(registry, repository, reference, item), 201);
  }
}

export async function blobStatus(
  registry: Registry,
  repository: string,
  digest: string,
): Promise<number> {
  return (await registry.head(`/v2/${repository}/blobs/${digest}`)).status;
}

export async function manifestStatus(
  registry: Registry,
  repository: string,
  reference: string,
): Promise<number> {
  return (await registry.head(`/v2/${repository}/manifests/${reference}`)).status;
}
