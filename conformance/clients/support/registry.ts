/** The registry as seen without any client program: what tests seed, and what they check against. */
import assert from 'node:assert/strict';
import type { Descriptor } from '../../../src/oci/descriptor.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { manifestKindOf, manifestMediaTypes } from '../../../src/oci/media-types.ts';
import {
  type Content,
  contentsOf,
  diffIds,
  type Image,
  type Index,
  uncompressed,
} from './images.ts';

export interface Credentials {
  readonly username: string;
  readonly password: string;
}

export class Registry {
  readonly url: string;
  readonly #authorization: string;

  constructor(url: string, { username, password }: Credentials) {
    this.url = url;
    this.#authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  }

  /** One request with the credentials; `target` starts at `/v2/`. */
  request(target: string, init: RequestInit & { headers?: Record<string, string> } = {}) {
    const headers = { authorization: this.#authorization, ...init.headers };
    return fetch(new URL(target, this.url), { ...init, headers });
  }

  async push(repository: string, tag: string, image: Image | Index): Promise<void> {
    const { blobs, manifests } = contentsOf(image);
    for (const blob of blobs) await this.pushBlob(repository, blob);
    for (const manifest of manifests) {
      const reference = manifest === image.manifest ? tag : manifest.descriptor.digest;
      await this.expect(201, `/v2/${repository}/manifests/${reference}`, {
        method: 'PUT',
        headers: { 'content-type': manifest.descriptor.mediaType },
        body: new Uint8Array(manifest.bytes),
      });
    }
  }

  async pushBlob(repository: string, { descriptor, bytes }: Content): Promise<void> {
    const started = await this.expect(202, `/v2/${repository}/blobs/uploads/`, { method: 'POST' });
    const location = new URL(started.headers.get('location') ?? '', this.url);
    location.searchParams.set('digest', descriptor.digest);
    // Past the wiretap, whose address it may be: what is seeded is no evidence.
    await this.expect(201, location.pathname + location.search, {
      method: 'PUT',
      headers: { 'content-type': 'application/octet-stream' },
      body: new Uint8Array(bytes),
    });
  }

  async manifest(repository: string, reference: string): Promise<Content> {
    const response = await this.expect(200, `/v2/${repository}/manifests/${reference}`, {
      headers: { accept: manifestMediaTypes.join(', ') },
    });
    const bytes = Buffer.from(await response.arrayBuffer());
    const digest = digestOf(bytes);
    assert.equal(response.headers.get('docker-content-digest'), digest);
    const mediaType = response.headers.get('content-type') ?? '';
    return { descriptor: { mediaType, digest, size: bytes.length }, bytes };
  }

  async blob(repository: string, descriptor: Descriptor): Promise<Content> {
    const response = await this.expect(200, `/v2/${repository}/blobs/${descriptor.digest}`);
    const bytes = Buffer.from(await response.arrayBuffer());
    assert.equal(digestOf(bytes), descriptor.digest, 'the bytes of a blob hash to its digest');
    assert.equal(bytes.length, descriptor.size, 'a blob is as long as its descriptor says');
    return { descriptor, bytes };
  }

  /** The image with every byte read and checked against its digest; of an index, all its images. */
  async image(repository: string, reference: string): Promise<Image | Index> {
    const manifest = await this.manifest(repository, reference);
    const body = JSON.parse(manifest.bytes.toString());
    if (manifestKindOf(manifest.descriptor.mediaType) === 'index') {
      const images: Image[] = [];
      for (const child of body.manifests as Descriptor[]) {
        images.push((await this.image(repository, child.digest)) as Image);
      }
      return { kind: 'index', manifest, images };
    }
    const layers: Content[] = [];
    for (const layer of body.layers as Descriptor[])
      layers.push(await this.blob(repository, layer));
    return { kind: 'image', manifest, config: await this.blob(repository, body.config), layers };
  }

  async exists(repository: string, reference: string): Promise<boolean> {
    const response = await this.request(`/v2/${repository}/manifests/${reference}`, {
      method: 'HEAD',
      headers: { accept: manifestMediaTypes.join(', ') },
    });
    if (response.status === 404) return false;
    assert.equal(response.status, 200);
    return true;
  }

  async expect(
    status: number,
    target: string,
    init: RequestInit & { headers?: Record<string, string> } = {},
  ): Promise<Response> {
    const response = await this.request(target, init);
    if (response.status === status) return response;
    const text = await response.text();
    throw new Error(
      `${init.method ?? 'GET'} ${target}: ${response.status}, not ${status}\n${text}`,
    );
  }
}

/** Every manifest, config and layer has the same bytes. */
export function assertSameBytes(actual: Image | Index, expected: Image | Index): void {
  const list = (image: Image | Index) => {
    const { blobs, manifests } = contentsOf(image);
    return [...manifests, ...blobs];
  };
  const found = list(actual);
  const wanted = list(expected);
  assert.deepEqual(
    found.map((one) => one.descriptor.digest),
    wanted.map((one) => one.descriptor.digest),
  );
  for (const [at, one] of wanted.entries()) assert.ok(one.bytes.equals(found[at]!.bytes));
}

/** The config and the layers' files are the same, however the layers are compressed: what engines keep. */
export function assertSameContent(actual: Image, expected: Image): void {
  assert.equal(actual.config.bytes.toString(), expected.config.bytes.toString());
  assert.deepEqual(
    actual.layers.map((layer) => digestOf(uncompressed(layer))),
    diffIds(expected),
  );
}
