import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { Digest } from '../../../src/oci/digest.ts';
import { type ErrorKind, RegistryError } from '../../../src/oci/errors.ts';
import type { CountLimits, PutManifestArgs } from '../../../src/ports/commands.ts';
import type { Metadata } from '../../../src/ports/metadata.ts';
import type { Repository } from '../../../src/ports/repositories.ts';

/** Opens an empty database, and again the same one; removes it at the end. */
export interface MetadataFactory {
  open(): Promise<Metadata>;
  remove(): Promise<void>;
}

export const now = 1_760_000_000_000;
export const unlimited: CountLimits = { plan: 'self-hosted' };
export const path = { team: 'acme', project: 'shop', repository: 'web' } as const;

export function digest(text: string): Digest {
  return `sha256:${createHash('sha256').update(text).digest('hex')}` as Digest;
}

/** A team with a project and a repository in it. */
export async function populate(
  db: Metadata,
): Promise<{ teamId: string; projectId: string; repository: Repository }> {
  const teamId = 'team_1';
  const projectId = 'prj_1';
  await db.writer.run('CreateTeam', {
    id: teamId,
    slug: path.team,
    name: 'Acme',
    plan: 'pro',
    createdAt: now,
  });
  await db.writer.run('CreateProject', {
    id: projectId,
    teamId,
    slug: path.project,
    settings: { platforms: ['linux/amd64'] },
    createdAt: now,
  });
  return { teamId, projectId, repository: await ensure(db, path.repository) };
}

export function ensure(
  db: Metadata,
  name: string,
  limits: CountLimits = unlimited,
): Promise<Repository> {
  return db.writer.run('EnsureRepository', {
    id: `repo_${name}`,
    projectId: 'prj_1',
    name,
    visibility: 'private',
    actor: 'ci',
    limits,
    now,
  });
}

/** Stores a blob of `text` in the repository, by an upload of its own. */
export async function addBlob(
  db: Metadata,
  repositoryId: string,
  text: string,
  key: string = `upl_${repositoryId}_${text}`,
): Promise<{ digest: Digest; kept: boolean; key: string }> {
  await db.writer.run('StartUpload', {
    id: key,
    repositoryId,
    subject: 'tok_1',
    algorithm: 'sha256',
    now,
    expiresAt: now + 1000,
  });
  const { kept } = await db.writer.run('FinishUpload', {
    id: key,
    repositoryId,
    digest: digest(text),
    size: text.length,
    now,
  });
  return { digest: digest(text), kept, key };
}

export function manifest(
  repositoryId: string,
  text: string,
  rest: Partial<PutManifestArgs> = {},
): PutManifestArgs {
  return {
    repositoryId,
    digest: digest(text),
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    content: Buffer.from(text),
    artifactType: undefined,
    annotations: undefined,
    subject: undefined,
    blobs: [],
    optionalBlobs: [],
    manifests: [],
    layers: [],
    imageSize: 0,
    platform: undefined,
    tags: [],
    actor: 'ci',
    overwrite: true,
    limits: unlimited,
    now,
    ...rest,
  };
}

export async function refused(work: Promise<unknown>, kind: ErrorKind): Promise<RegistryError> {
  const error = await work.then(
    () => assert.fail(`expected ${kind}`),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof RegistryError, String(error));
  assert.equal(error.kind, kind);
  return error;
}

/** Types of the repository's events, in order, after checking that the sequence has no gaps. */
export async function events(db: Metadata, repositoryId: string): Promise<string[]> {
  const rows = await db.outbox.listByRepository(repositoryId, 0, 1000);
  assert.deepEqual(
    rows.map((row) => row.sequence),
    rows.map((_row, index) => index + 1),
  );
  return rows.map((row) => row.type);
}
