/** The real application over real stores, with a gate before each call that collection and requests meet at. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import type { Ends } from '../../../src/http/http-test-kit.ts';
import { type Application, openApplication } from '../../../src/http/services-test-kit.ts';
import { Collector } from '../../../src/maintenance/collector.ts';
import { Sweeper } from '../../../src/maintenance/sweeper.ts';
import { type Digest, digestOf } from '../../../src/oci/digest.ts';
import type { BlobStore } from '../../../src/ports/blob-store.ts';
import { blobLeaseMs } from '../../../src/ports/commands-collection.ts';
import type { Metadata } from '../../../src/ports/metadata.ts';
import type { BlobPush } from '../../../src/registry/push-blob.ts';
import { chunk, instead, source, subject } from '../../../src/registry/registry-test-kit.ts';
import { openSqliteMetadata } from '../../../storage-adapters/metadata/sqlite.ts';
import { Stage } from './stage.ts';

export const manifestType = 'application/vnd.oci.image.manifest.v1+json';
export const indexType = 'application/vnd.oci.image.index.v1+json';
const repositories = ['one', 'two'];
const actorHeader = 'x-test-actor';

// Orders are what is tried here, not disks: thousands of syncs cost nothing in memory.
if (existsSync('/dev/shm')) process.env.TMPDIR = '/dev/shm';

/** What a test plants between the gates and the real stores. */
export interface Planted {
  metadata?(real: Metadata, folder: string, store: () => BlobStore): Metadata;
  store?(real: BlobStore): BlobStore;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Buffer;
}

export class BarrierWorld {
  readonly stage: Stage;
  readonly app: Application;
  /** Milliseconds from the end of a blob to the end of its bytes. */
  delayMs = 0;
  readonly #collector: Collector;
  readonly #sweeper: Sweeper;
  readonly #failures: unknown[] = [];
  readonly #basic: string;
  readonly #push: BlobPush;
  #made = 0;

  private constructor(t: Ends, stage: Stage, app: Application, basic: string) {
    this.stage = stage;
    this.app = app;
    this.#basic = basic;
    const { metadata, store, clock } = app.world;
    // Keys that sort as they were made: the sweeper takes them in the same order in each run.
    const newUploadId = () => `upl_${String(++this.#made).padStart(32, '0')}`;
    this.#push = app.world.blobPush({ newUploadId });
    const failed = (cause: unknown) => this.#failures.push(cause);
    const delay = () => this.delayMs;
    this.#collector = new Collector(
      {
        ...{ ...metadata, clock, failed, discarded: () => {} },
        get delayMs() {
          return delay();
        },
      },
      undefined,
    );
    const cancel = (row: Parameters<typeof app.services.blobPush.cancel>[0]) =>
      app.services.blobPush.cancel(row);
    // One key at a time: an actor on the stage is at one place.
    const deps = { ...metadata, store, clock, cancel, failed, removedAtOnce: 1 };
    this.#sweeper = new Sweeper(deps, 3_600_000);
    t.after(() => this.#sweeper.stop());
  }

  static async open(
    t: Ends,
    open: (folder: string) => Promise<Metadata> = (folder) => openSqliteMetadata({ folder }),
    planted: Planted = {},
  ): Promise<BarrierWorld> {
    const stage = new Stage();
    let files: BlobStore;
    const app = await openApplication(
      t,
      ({ settings }) => ({ settings: { ...settings, undeleteForMs: 0 } }),
      {
        async metadata(folder) {
          const real = await open(folder);
          return gatedMetadata(planted.metadata?.(real, folder, () => files) ?? real, stage);
        },
        store(real) {
          files = real;
          return gatedStore(planted.store?.(real) ?? real, stage);
        },
        around: (handle) => (req, res) =>
          stage.as(req.headers[actorHeader] as string | undefined, () => handle(req, res)),
      },
    );
    const { basic } = await app.token('admin');
    for (const name of repositories) await app.world.ensure(name);
    return new BarrierWorld(t, stage, app, basic);
  }

  /** Bytes like no others. */
  bytes(what: string): Buffer {
    return Buffer.from(`${what} ${++this.#made}`);
  }

  config(): Buffer {
    return Buffer.from(JSON.stringify({ os: 'linux', architecture: 'amd64', made: ++this.#made }));
  }

  image(config: Buffer, ...layers: Buffer[]): string {
    const described = (mediaType: string, bytes: Buffer) => ({
      ...{ mediaType, digest: digestOf(bytes), size: bytes.length },
    });
    return JSON.stringify({
      ...{ schemaVersion: 2, mediaType: manifestType },
      config: described('application/vnd.oci.image.config.v1+json', config),
      layers: layers.map((layer) => described('application/vnd.oci.image.layer.v1.tar', layer)),
    });
  }

  async ask(
    actor: string,
    method: string,
    path: string,
    body?: Buffer | string,
    type = manifestType,
  ): Promise<Answer> {
    const answer = await this.app.fetch(path.startsWith('/') ? path : `/v2/acme/shop/${path}`, {
      method,
      headers: {
        ...{ authorization: this.#basic, [actorHeader]: actor },
        ...(body !== undefined && { 'content-type': type }),
      },
      ...(body !== undefined && { body }),
    });
    const { status, headers } = answer;
    return { status, headers, bytes: Buffer.from(await answer.arrayBuffer()) };
  }

  /** A session, and the request that ends it with these bytes. */
  async beginUpload(
    actor: string,
    repository: string,
    bytes: Buffer,
  ): Promise<() => Promise<Answer>> {
    const begun = await this.ask(actor, 'POST', `${repository}/blobs/uploads/`);
    assert.equal(begun.status, 202);
    const url = new URL(begun.headers.get('location')!, 'http://x');
    url.searchParams.set('digest', digestOf(bytes));
    return () =>
      this.ask(actor, 'PUT', `${url.pathname}${url.search}`, bytes, 'application/octet-stream');
  }

  async upload(repository: string, bytes: Buffer): Promise<void> {
    const finish = await this.beginUpload('', repository, bytes);
    assert.equal((await finish()).status, 201);
  }

  put(actor: string, repository: string, reference: string, manifest: string): Promise<Answer> {
    return this.ask(actor, 'PUT', `${repository}/manifests/${reference}`, manifest);
  }

  /** Without a request: quick, and at no gate. */
  async store(repository: string, bytes: Buffer): Promise<void> {
    const { id } = await this.app.world.ensure(repository);
    const row = await this.#push.start(id, subject, 'sha256');
    await this.#push.finish(row, digestOf(bytes), source(bytes), chunk());
  }

  leasesEnd(): void {
    this.app.world.pass(blobLeaseMs + 1);
  }

  /** A whole run, to the removal of the bytes. */
  async collect(): Promise<void> {
    await this.#collector.run();
    this.#sweeper.wake();
    await this.#sweeper.idle();
  }

  /** As a client pulls it. */
  async pulls(repository: string, reference: string): Promise<void> {
    const answer = await this.ask('', 'GET', `${repository}/manifests/${reference}`);
    assert.equal(answer.status, 200, `pull of ${repository}:${reference}: ${answer.bytes}`);
    const named = JSON.parse(answer.bytes.toString()) as Named;
    for (const { digest } of named.manifests ?? []) await this.pulls(repository, digest);
    for (const { digest } of [...(named.config ? [named.config] : []), ...(named.layers ?? [])]) {
      const blob = await this.ask('', 'GET', `${repository}/blobs/${digest}`);
      assert.equal(blob.status, 200, `${repository}:${reference} names ${digest}: ${blob.bytes}`);
      assert.equal(digestOf(blob.bytes), digest);
    }
  }

  /** No manifest that is there lacks what it names; once all is deleted and the leases are over, nothing is left. */
  async holdsTogether(): Promise<void> {
    const { metadata, ensure, clock } = this.app.world;
    await this.collect();
    for (const name of repositories) await this.#deleteWhole(name);
    this.leasesEnd();
    await this.collect();
    assert.deepEqual(await metadata.collection.links(undefined, clock.now(), 10), [], 'links');
    const nothing = { blobs: 0, bytes: 0, keys: 0, seen: 0 };
    assert.deepEqual(await metadata.collection.unreferenced(), nothing);
    assert.deepEqual(await this.app.world.files(), [], 'files');
    for (const name of repositories) {
      const { id } = await ensure(name);
      assert.equal((await metadata.repositories.details(id))?.storedBytes, 0, `bytes of ${name}`);
    }
    assert.deepEqual(this.#failures, []);
  }

  /** Pulls all that the repository holds, then deletes it, indexes before what they name. */
  async #deleteWhole(name: string): Promise<void> {
    const { metadata, ensure, clock } = this.app.world;
    const { id: repositoryId } = await ensure(name);
    const all = await metadata.manifests.newest(repositoryId, undefined, 100);
    const isIndex = ({ mediaType }: { mediaType: string }) => mediaType.includes('index');
    for (const one of all) await this.pulls(name, one.digest);
    for (const { digest } of [...all.filter(isIndex), ...all.filter((one) => !isIndex(one))]) {
      const args = { repositoryId, digest, actor: 'test', now: clock.now() };
      await metadata.writer.run('DeleteManifest', args);
    }
  }
}

interface Named {
  readonly config?: { digest: Digest };
  readonly layers?: readonly { digest: Digest }[];
  readonly manifests?: readonly { digest: Digest }[];
}

function gatedMetadata(real: Metadata, stage: Stage): Metadata {
  return {
    ...real,
    writer: instead(real.writer, {
      run: async (name, args, fence) => {
        await stage.pass(name);
        return real.writer.run(name, args, fence);
      },
    }),
    blobs: gated(real.blobs, 'blobs', stage),
    collection: gated(real.collection, 'collection', stage),
  };
}

const gatedStore = (real: BlobStore, stage: Stage): BlobStore =>
  instead(real, {
    open: async (...args) => {
      await stage.pass('store.open');
      return real.open(...args);
    },
    delete: async (key) => {
      await stage.pass('store.delete');
      return real.delete(key);
    },
  });

/** Every method, named `area.method`. */
function gated<T extends object>(real: T, area: string, stage: Stage): T {
  return new Proxy(real, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      return async (...args: unknown[]) => {
        await stage.pass(`${area}.${String(name)}`);
        return (value as (...args: unknown[]) => unknown).apply(target, args);
      };
    },
  });
}
