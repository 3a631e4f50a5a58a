import assert from 'node:assert/strict';
import { basic } from '../../spec/client.ts';
import { digestOf, mediaTypes } from '../../spec/content.ts';
import type { Bootstrap } from './gantry.ts';
import { type Random, someBytes } from './random.ts';

/** An image that a server acknowledged. */
export interface PushedImage {
  readonly repository: string;
  readonly manifest: string;
  readonly digest: string;
  readonly blobs: readonly string[];
}

/** Whole images, pushed to and pulled from a server by whoever has the first token. */
export class Images {
  readonly #origin: string;
  readonly #bootstrap: Bootstrap;
  readonly #authorization: string;

  constructor(origin: string, bootstrap: Bootstrap) {
    this.#origin = origin;
    this.#bootstrap = bootstrap;
    this.#authorization = basic(bootstrap.teamId, bootstrap.token);
  }

  /** With so many layers of so many bytes, as the tag `latest`. Rejects where anything is refused. */
  async push(
    repository: string,
    random: Random,
    layers: number,
    bytes: number,
  ): Promise<PushedImage> {
    const config = Buffer.from(
      JSON.stringify({ os: 'linux', architecture: 'amd64', n: random.next() }),
    );
    const parts = [config, ...Array.from({ length: layers }, () => someBytes(random, bytes))];
    await Promise.all(parts.map((part) => this.#pushBlob(repository, part)));
    const [first, ...rest] = parts.map((part) => ({ digest: digestOf(part), size: part.length }));
    const manifest = JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      config: { mediaType: mediaTypes.config, ...first },
      layers: rest.map((layer) => ({ mediaType: mediaTypes.layer, ...layer })),
    });
    const answer = await this.#ask(
      'PUT',
      `${repository}/manifests/latest`,
      manifest,
      mediaTypes.manifest,
    );
    assert.equal(answer.status, 201, await answer.text());
    return {
      repository,
      manifest,
      digest: digestOf(manifest),
      blobs: parts.map((part) => digestOf(part)),
    };
  }

  /** Why it cannot be pulled byte for byte; undefined: it can. */
  async problem({ repository, manifest, digest, blobs }: PushedImage): Promise<string | undefined> {
    for (const reference of ['latest', digest]) {
      const got = await this.#ask('GET', `${repository}/manifests/${reference}`);
      const text = await got.text();
      if (got.status !== 200 || text !== manifest)
        return `${repository}:${reference} is ${got.status}`;
    }
    for (const blob of blobs) {
      const got = await this.#ask('GET', `${repository}/blobs/${blob}`);
      const bytes = Buffer.from(await got.arrayBuffer().catch(() => new ArrayBuffer(0)));
      if (got.status !== 200 || digestOf(bytes) !== blob) {
        return `${blob} of ${repository} is ${got.status}, ${bytes.length} bytes`;
      }
    }
    return undefined;
  }

  async deleteRepository(repository: string): Promise<void> {
    const { teamSlug, projectSlug } = this.#bootstrap;
    const answer = await fetch(
      `${this.#origin}/api/v1/teams/${teamSlug}/projects/${projectSlug}/repositories/${repository}`,
      {
        method: 'DELETE',
        headers: { authorization: `Bearer ${this.#bootstrap.token}`, 'if-match': '*' },
      },
    );
    assert.ok(answer.status < 300, `${answer.status} ${await answer.text()}`);
  }

  async #pushBlob(repository: string, bytes: Buffer): Promise<void> {
    const begun = await this.#ask('POST', `${repository}/blobs/uploads/`);
    assert.equal(begun.status, 202, await begun.text());
    const url = new URL(begun.headers.get('location')!, this.#origin);
    url.searchParams.set('digest', digestOf(bytes));
    const put = await fetch(url, {
      method: 'PUT',
      headers: { authorization: this.#authorization, 'content-type': mediaTypes.bytes },
      body: new Uint8Array(bytes),
    });
    assert.equal(put.status, 201, await put.text());
  }

  #ask(method: string, path: string, body?: string, type?: string): Promise<Response> {
    const { teamSlug, projectSlug } = this.#bootstrap;
    return fetch(`${this.#origin}/v2/${teamSlug}/${projectSlug}/${path}`, {
      method,
      headers: { authorization: this.#authorization, ...(type && { 'content-type': type }) },
      ...(body !== undefined && { body }),
    });
  }
}
