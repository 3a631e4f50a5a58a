import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import type { Digest } from '../../../oci/digest.ts';
import {
  type File,
  formOf,
  type Sample,
  tarOf,
} from '../../../registry/archives/archive-test-kit.ts';
import type { Ends } from '../../http-test-kit.ts';
import { type Application, openApplication } from '../../services-test-kit.ts';

export const path = (repository: string) =>
  `/api/v1/teams/acme/projects/shop/repositories/${repository}/uploads`;

export interface Uploaded {
  repository: string;
  digest: Digest;
  mediaType: string;
  tags: string[];
  manifests: Digest[];
  layers: { digest: Digest; mediaType: string; size: number }[];
  warnings: string[];
}

let made = 0;
export const fresh = () => `up-${++made}`;

/** A running application, and uploads to it as a writer of its team. */
export class Uploads {
  readonly app: Application;
  readonly basic: string;

  private constructor(app: Application, basic: string) {
    this.app = app;
    this.basic = basic;
  }

  static async open(t: Ends): Promise<Uploads> {
    const app = await openApplication(t);
    return new Uploads(app, (await app.token('write')).basic);
  }

  post(
    repository: string,
    body: NonNullable<RequestInit['body']>,
    headers: Record<string, string> = {},
  ) {
    return this.app.fetch(path(repository), {
      ...{ method: 'POST', body, duplex: 'half' },
      headers: { authorization: this.basic, ...headers },
    } as RequestInit);
  }

  async upload(
    files: readonly File[],
    fields: readonly (readonly [string, string])[] = [],
    repository = fresh(),
  ): Promise<Uploaded> {
    const answer = await this.post(repository, formOf(await tarOf(files), fields));
    const text = await answer.text();
    assert.equal(answer.status, 201, text);
    assert.deepEqual(
      await readdir(join(this.app.world.folder, 'spool')),
      [],
      'nothing stays on disk',
    );
    return JSON.parse(text) as Uploaded;
  }

  /** What a refused upload says; nothing of it is in the repository. */
  async refusedUpload(
    archive: Buffer,
    fields: readonly (readonly [string, string])[] = [],
  ): Promise<{ status: number; code: string; message: string; hint: string }> {
    const repository = fresh();
    const answer = await this.post(repository, formOf(archive, fields));
    const body = (await answer.json()) as { code: string; message: string; hint: string };
    const { metadata } = this.app.world;
    const found = await metadata.repositories.find({ team: 'acme', project: 'shop', repository });
    const tags =
      found &&
      (await this.app.fetch(`/v2/acme/shop/${repository}/tags/list`, {
        headers: { authorization: this.basic },
      }));
    if (tags) assert.deepEqual(((await tags.json()) as { tags: string[] }).tags, []);
    assert.deepEqual(
      await readdir(join(this.app.world.folder, 'spool')),
      [],
      'nothing stays on disk',
    );
    return { status: answer.status, ...body };
  }

  async pull(repository: string, kind: 'manifests' | 'blobs', reference: string) {
    const answer = await this.app.fetch(`/v2/${repository}/${kind}/${reference}`, {
      headers: { authorization: this.basic },
    });
    assert.equal(answer.status, 200, `${kind} ${reference}`);
    return {
      type: answer.headers.get('content-type'),
      bytes: Buffer.from(await answer.arrayBuffer()),
    };
  }

  /** The image behind a tag is `sample`: the same config bytes, the same layers once inflated. */
  async expectSample(up: Uploaded, sample: Sample, tag: string): Promise<void> {
    const { bytes } = await this.pull(up.repository, 'manifests', tag);
    const manifest = JSON.parse(bytes.toString()) as {
      config: { digest: string };
      layers: { digest: string; mediaType: string; size: number }[];
    };
    assert.deepEqual(manifest.layers, up.layers);
    assert.deepEqual(
      (await this.pull(up.repository, 'blobs', manifest.config.digest)).bytes,
      sample.config,
    );
    for (const [at, layer] of manifest.layers.entries()) {
      const stored = (await this.pull(up.repository, 'blobs', layer.digest)).bytes;
      const plain = layer.mediaType.endsWith('zstd')
        ? zstdDecompressSync(stored)
        : layer.mediaType.endsWith('gzip')
          ? gunzipSync(stored)
          : stored;
      assert.deepEqual(plain, sample.layers[at]);
    }
  }
}
