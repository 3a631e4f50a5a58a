import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { type Digest, digestOf } from '../../../../oci/digest.ts';
import { ociConfig, ociIndex, ociManifest } from '../../../../oci/media-types.ts';
import type { Repository } from '../../../../ports/repositories.ts';
import type { TokenScope } from '../../../../ports/tokens.ts';
import { type Application, openApplication } from '../../../services-test-kit.ts';

export const base = '/api/v1/teams/acme/projects/shop/repositories';

/** An answer of the API, read. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it
  readonly body: any;
}

export type Ask = (method: string, path: string, body?: unknown) => Promise<Answer>;

/** `path` below the project's repositories, or from the root where it starts with `/api/v1/`. */
export function asker(app: Application, secret: string | undefined): Ask {
  return async (method, path, body) => {
    const response = await app.fetch(path.startsWith('/api/v1/') ? path : `${base}${path}`, {
      method,
      headers: {
        ...(secret !== undefined && { Authorization: `Bearer ${secret}` }),
        ...(body !== undefined && { 'Content-Type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: text === '' ? undefined : JSON.parse(text),
    };
  };
}

export async function openShop(t: { after(end: () => unknown): void }) {
  const app = await openApplication(t);
  const { writer } = app.world.metadata;
  await writer.run('CreateTeam', {
    ...{ id: 'team_2', slug: 'other', name: 'Other', plan: 'pro', createdAt: 1 },
  });
  const as = async (scope: TokenScope, of?: { teamId?: string; projectIds?: string[] }) =>
    asker(app, (await app.token(scope, of)).secret);
  return { app, as, anonymous: asker(app, undefined) };
}

export interface ImageOptions {
  readonly into?: Repository;
  readonly tags?: readonly string[];
  readonly config?: object;
  readonly manifest?: object;
  readonly layers?: readonly { mediaType: string; bytes: Buffer }[];
}

export const gzipLayer = 'application/vnd.oci.image.layer.v1.tar+gzip';

/** Pushes an image whose layers are no one else's, the way a client's push ends. */
export async function pushImage(app: Application, options: ImageOptions = {}) {
  const { world } = app;
  const { into = world.repository, tags = [] } = options;
  const layers = options.layers ?? [{ mediaType: gzipLayer, bytes: randomBytes(100) }];
  const config = Buffer.from(
    JSON.stringify({
      os: 'linux',
      architecture: 'amd64',
      config: { Labels: { run: randomBytes(8).toString('hex') } },
      ...options.config,
    }),
  );
  const blobs = [];
  for (const { mediaType, bytes } of layers) {
    blobs.push({ mediaType, digest: await world.addBlob(bytes, into), size: bytes.length });
  }
  const manifest = {
    schemaVersion: 2,
    mediaType: ociManifest,
    config: {
      mediaType: ociConfig,
      digest: await world.addBlob(config, into),
      size: config.length,
    },
    layers: blobs,
    ...options.manifest,
  };
  return { ...(await pushManifest(app, manifest, into, tags)), manifest, config };
}

export interface Child {
  readonly digest: Digest;
  readonly bytes: Buffer;
}

/** An index of `children`, each with what its descriptor says beside. */
export async function pushIndex(
  app: Application,
  children: readonly (Child & { more?: object })[],
  { into = app.world.repository, tags = [] }: ImageOptions = {},
) {
  const manifests = children.map(({ digest, bytes, more }) => ({
    ...{ mediaType: ociManifest, digest, size: bytes.length },
    ...more,
  }));
  return pushManifest(app, { schemaVersion: 2, mediaType: ociIndex, manifests }, into, tags);
}

export async function pushManifest(
  app: Application,
  manifest: object,
  into: Repository,
  tags: readonly string[],
): Promise<Child> {
  const { services, world } = app;
  const bytes = Buffer.from(JSON.stringify(manifest));
  const { digest } = await services.putManifest({
    ...{ repository: into, project: world.project, plan: services.plans.pro },
    ensure: () => Promise.resolve(into),
    ...{ bytes, contentType: undefined, tags, overwrite: true, actor: 'pusher' },
    digest: digestOf(bytes),
  });
  return { digest, bytes };
}

export function expectError(answer: Answer, status: number, code: string): void {
  assert.equal(answer.status, status, JSON.stringify(answer.body));
  assert.equal(answer.body.code, code);
  assert.notEqual(answer.body.message, '');
  assert.equal(typeof answer.body.hint, 'string');
}

/** All events of a repository, wherever the relay has them by now. */
export async function eventsOf({ world }: Application, repositoryId: string) {
  const { outbox, events } = world.metadata;
  const waiting = await outbox.listByRepository(repositoryId, 0, 1000);
  // Read later: what was moved between is in both.
  const published = await events.after(0, 1000);
  const all = [...waiting, ...published.filter((row) => row.streamId === repositoryId)];
  const bySequence = new Map(all.map(({ sequence, type, data }) => [sequence, { type, data }]));
  return [...bySequence].sort(([a], [b]) => a - b).map(([, event]) => event);
}
