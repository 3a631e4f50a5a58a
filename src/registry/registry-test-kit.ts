import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type PassThrough, Readable } from 'node:stream';
import { createFilesystemBlobStore } from '../../storage-adapters/blobs/filesystem/store.ts';
import { openSqliteMetadata } from '../../storage-adapters/metadata/sqlite.ts';
import { type Plan, plansWith } from '../config/plans.ts';
import { type Digest, digestOf } from '../oci/digest.ts';
import { type ErrorKind, RegistryError, refuse } from '../oci/errors.ts';
import type { BlobStore, BlobWriter } from '../ports/blob-store.ts';
import type { Metadata } from '../ports/metadata.ts';
import type { Project } from '../ports/projects.ts';
import type { Repository, Visibility } from '../ports/repositories.ts';
import type { ChunkOptions } from './chunk-options.ts';
import { BlobPush, type BlobPushDeps } from './push-blob.ts';

export const start = Date.UTC(2026, 10, 21);
export const expiryMs = 86_400_000;
export const subject = 'tok_1';
export const plan: Plan = plansWith().pro;

export const newKey = (prefix = 'upl'): string => `${prefix}_${randomBytes(16).toString('hex')}`;

/** A chunk's options; anything larger than `limit` bytes is refused. */
export function chunk(range?: [number, number], limit = 1e9): ChunkOptions {
  return {
    range: range && { start: range[0], end: range[1] },
    limit,
    tooLarge: () => refuse('layer-too-large', `more than ${limit}`),
  };
}

export const source = (...pieces: (string | Buffer)[]): Readable =>
  Readable.from(pieces.map((piece) => Buffer.from(piece)));

/** Writes to a body that goes on, and resolves once that was read. */
export async function feed(body: PassThrough, text: string | Buffer): Promise<void> {
  body.write(text);
  while (body.readableLength > 0) await new Promise((resolve) => setImmediate(resolve));
}

/** Real stores in a folder of their own, with a team, a project and a repository. */
export interface World {
  readonly folder: string;
  readonly metadata: Metadata;
  readonly store: BlobStore;
  readonly clock: { now(): number };
  readonly project: Project;
  readonly repository: Repository;
  pass(milliseconds: number): void;
  /** A process's view of pushes: another one knows only what is stored. Closed at the end. */
  blobPush(more?: Partial<BlobPushDeps>): BlobPush;
  ensure(name: string, visibility?: Visibility, projectId?: string): Promise<Repository>;
  addBlob(content: string | Buffer, into?: Repository): Promise<Digest>;
  read(digest: Digest, from?: Repository): Promise<Buffer>;
  /** Keys of all files that hold bytes of blobs. */
  files(): Promise<string[]>;
  /** How many of those files this process has open; undefined where that cannot be told. */
  openFiles(): Promise<number | undefined>;
}

/** Stores other than SQLite and the filesystem as they are: another database, or wrappers round these. */
export interface WorldStores {
  readonly metadata?: (folder: string) => Promise<Metadata>;
  readonly store?: (real: BlobStore) => BlobStore;
}

export async function openWorld(
  t: { after(end: () => unknown): void },
  stores: WorldStores = {},
): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), 'gantry-registry-'));
  const blobs = join(folder, 'blobs');
  const metadata = await (stores.metadata?.(folder) ?? openSqliteMetadata({ folder }));
  const files = await createFilesystemBlobStore({ folder: blobs });
  const store = stores.store?.(files) ?? files;
  const pushes: BlobPush[] = [];
  t.after(async () => {
    for (const push of pushes) await push.close();
    await metadata.close();
    await store.close();
    await rm(folder, { recursive: true });
  });
  let now = start;
  const clock = { now: () => now };
  const { writer } = metadata;
  await writer.run('CreateTeam', {
    id: 'team_1',
    slug: 'acme',
    name: 'Acme',
    plan: plan.name,
    createdAt: now,
  });
  await writer.run('CreateProject', {
    id: 'prj_1',
    teamId: 'team_1',
    slug: 'shop',
    settings: {},
    createdAt: now,
  });
  const ensure = (name: string, visibility: Visibility = 'private', projectId = 'prj_1') =>
    writer.run('EnsureRepository', {
      id: `repo_${projectId}_${name}`,
      projectId,
      name,
      visibility,
      actor: 'kit',
      limits: { plan: plan.name },
      now,
    });
  const repository = await ensure('web');
  const blobPush = (more: Partial<BlobPushDeps> = {}): BlobPush => {
    const push = new BlobPush({
      store,
      uploads: metadata.uploads,
      writer,
      clock,
      newUploadId: () => newKey(),
      expiryMs,
      discarded: () => {},
      ...more,
    });
    pushes.push(push);
    return push;
  };
  const project = await metadata.projects.findBySlugs('acme', 'shop');
  return {
    folder,
    metadata,
    store,
    clock,
    project: project!,
    repository,
    pass: (milliseconds) => {
      now += milliseconds;
    },
    blobPush,
    ensure,
    async addBlob(content, into = repository) {
      const bytes = Buffer.from(content);
      const push = blobPush();
      const row = await push.start(into.id, subject, 'sha256');
      await push.finish(row, digestOf(bytes), source(bytes), chunk());
      return digestOf(bytes);
    },
    async read(digest, from = repository) {
      const row = await metadata.blobs.find(from.id, digest);
      assert.ok(row, `${digest} is not in ${from.name}`);
      const bytes = Buffer.concat(await (await store.open(row.key)).toArray());
      assert.equal(bytes.length, row.size);
      return bytes;
    },
    async files() {
      const entries = await readdir(blobs, { recursive: true, withFileTypes: true });
      return entries.flatMap((entry) => (entry.isFile() ? [entry.name] : []));
    },
    async openFiles() {
      if (process.platform !== 'linux') return undefined;
      const names = await readdir('/proc/self/fd');
      const targets = await Promise.all(
        names.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => '')),
      );
      return targets.filter((target) => target.startsWith(blobs)).length;
    },
  };
}

/** `real` with some methods of `own` instead: a part that is real but for what a test makes fail. */
export function instead<T extends object>(real: T, own: Partial<T>): T {
  return new Proxy(real, {
    get(target, name) {
      if (Object.hasOwn(own, name)) return own[name as keyof T];
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** The store with writers that `change` changes. */
export function withWriters(
  store: BlobStore,
  change: (writer: BlobWriter) => Partial<BlobWriter>,
): BlobStore {
  const changed = (writer: BlobWriter) => instead(writer, change(writer));
  return instead(store, {
    create: async (...args) => changed(await store.create(...args)),
    resume: async (...args) => changed(await store.resume(...args)),
  });
}

/** What `work`, which must be refused, was refused with. */
export async function refused(work: Promise<unknown>, kind: ErrorKind): Promise<RegistryError> {
  const error = await work.then(
    () => assert.fail(`was not refused, let alone as ${kind}`),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof RegistryError, String((error as Error)?.stack ?? error));
  assert.equal(error.kind, kind, error.message);
  return error;
}
