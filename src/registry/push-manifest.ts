import { countLimits, type Plan } from '../config/plans.ts';
import { algorithmOf, type Digest, digestOf } from '../oci/digest.ts';
import { RegistryError, refuse } from '../oci/errors.ts';
import {
  type ParsedManifest,
  parseManifest,
  requiredBlobs,
  requiredManifests,
} from '../oci/manifest.ts';
import { layerCompressionOf } from '../oci/media-types.ts';
import { isDeployable } from '../policy/deployable.ts';
import { checkImage, needsConfig } from '../policy/image.ts';
import { imageSize } from '../policy/image-size.ts';
import type { BlobRow, Blobs } from '../ports/blobs.ts';
import type { Clock } from '../ports/clock.ts';
import type { CommandWriter, PutManifestArgs } from '../ports/commands.ts';
import type { ReservedHost } from '../ports/commands-functions.ts';
import type { DeploymentPlanner } from '../ports/deployment-planner.ts';
import type { Project } from '../ports/projects.ts';
import type { Repository } from '../ports/repositories.ts';
import type { ConfigBytes } from './config-bytes.ts';

export interface ManifestPut {
  /** Undefined: there is none of that name yet, and `ensure` makes it. */
  readonly repository: Repository | undefined;
  readonly ensure: () => Promise<Repository>;
  readonly project: Project;
  readonly plan: Plan;
  readonly bytes: Buffer;
  readonly contentType: string | undefined;
  /** The digest that the URL names; undefined: it names a tag. */
  readonly digest: Digest | undefined;
  readonly tags: readonly string[];
  /** False: a tag that points at something else stays, and the push is denied. */
  readonly overwrite: boolean;
  /** Whether who pushes may deploy; absent: they may not. */
  readonly mayDeploy?: boolean | undefined;
  readonly actor: string;
}

export interface PutManifestResult {
  readonly repositoryId: string;
  readonly digest: Digest;
  readonly subject: Digest | undefined;
  /** Texts for `Warning: 299`. */
  readonly warnings: readonly string[];
}

export interface PushedManifest extends PutManifestResult {
  /** What the push deploys, tag by tag. */
  readonly deployments: readonly ReservedHost[];
}

export interface ManifestPushDeps {
  readonly configs: ConfigBytes;
  readonly blobs: Blobs;
  readonly writer: CommandWriter;
  readonly clock: Clock;
  /** Called after an image whose layers may need measuring. */
  readonly pushed: () => void;
  /** Undefined: nothing is deployed. */
  readonly planner?: DeploymentPlanner | undefined;
}

/** Checks a manifest against the rules and records it, its tags and its event in one transaction. */
export function createManifestPush(
  deps: ManifestPushDeps,
): (put: ManifestPut) => Promise<PushedManifest> {
  return async (put) => {
    const { args, result } = await prepare(deps, put);
    const { deployments } = await deps.writer.run('PutManifest', args);
    if (args.layers.length > 0) deps.pushed();
    return { ...result, deployments };
  };
}

/** The same for several that belong together, each after what it names: all of them or none. */
export function createManifestsPush(
  deps: ManifestPushDeps,
): (puts: readonly ManifestPut[]) => Promise<PutManifestResult[]> {
  return async (puts) => {
    const prepared: Prepared[] = [];
    for (const put of puts) prepared.push(await prepare(deps, put));
    await deps.writer.run('PutManifests', { puts: prepared.map(({ args }) => args) });
    if (prepared.some(({ args }) => args.layers.length > 0)) deps.pushed();
    return prepared.map(({ result }) => result);
  };
}

interface Prepared {
  readonly args: PutManifestArgs;
  readonly result: PutManifestResult;
}

async function prepare(deps: ManifestPushDeps, put: ManifestPut): Promise<Prepared> {
  const digest = digestOf(put.bytes, put.digest ? algorithmOf(put.digest) : 'sha256');
  if (put.digest && put.digest !== digest) {
    throw refuse(
      'digest-mismatch',
      `The manifest's bytes hash to ${digest}, not to ${put.digest}.`,
      'Push it by its own digest.',
      { expected: put.digest, received: digest },
    );
  }
  const manifest = parseManifest(put.bytes, put.contentType);
  const blobs = requiredBlobs(manifest);
  const children = requiredManifests(manifest).map((child) => child.digest);
  const names = blobs.map((blob) => blob.digest);
  if (!put.repository && names.length + children.length > 0) {
    throw nothingPushed([...names, ...children]);
  }
  const held = put.repository ? await deps.blobs.findMany(put.repository.id, names) : [];
  checkSizes(blobs, held);
  const config = needsConfig(manifest, put.plan)
    ? await readConfig(deps, put.repository, manifest, held)
    : undefined;
  const decision = checkImage({
    manifest,
    config,
    plan: put.plan,
    settings: put.project.settings,
  });
  if (!decision.allow) throw new RegistryError(decision.error);
  const { id: repositoryId, name: repository } = await put.ensure();
  const args: PutManifestArgs = {
    repositoryId,
    digest,
    mediaType: manifest.mediaType,
    content: put.bytes,
    artifactType: manifest.artifactType,
    annotations: manifest.annotations,
    subject: manifest.subject?.digest,
    blobs: names,
    optionalBlobs: manifest.layers.map((layer) => layer.digest),
    manifests: children,
    layers: manifest.isImage ? measurable(manifest, held) : [],
    imageSize: imageSize(manifest),
    platform: decision.platform,
    tags: put.tags,
    overwrite: put.overwrite,
    deploy: deps.planner?.plan({
      ...{ project: put.project, repository, tags: put.tags },
      ...{ runnable: isDeployable(manifest), mayDeploy: put.mayDeploy === true },
    }),
    actor: put.actor,
    limits: countLimits(put.plan),
    now: deps.clock.now(),
  };
  const warnings = decision.warnings ?? [];
  const { subject } = args;
  return { args, result: { repositoryId, digest, subject, warnings } };
}

function nothingPushed(digests: readonly Digest[]): RegistryError {
  return refuse(
    'manifest-blob-unknown',
    'The repository does not exist yet, so it holds nothing of what the manifest names.',
    'Push the layers, config and child manifests first, then the manifest again.',
    { digests: digests.slice(0, 100) },
  );
}

/** A descriptor's size is a promise that clients allocate by: it must be the blob's. */
function checkSizes(
  wanted: readonly { digest: Digest; size: number }[],
  held: readonly BlobRow[],
): void {
  const sizes = new Map(held.map((blob) => [blob.digest, blob.size]));
  for (const { digest, size } of wanted) {
    const actual = sizes.get(digest);
    if (actual !== undefined && actual !== size) {
      throw refuse(
        'manifest-invalid',
        `The manifest says that ${digest} has ${size} bytes, and it has ${actual}.`,
        'Build the manifest from the blobs that were pushed.',
        { digest, expected: size, actual },
      );
    }
  }
}

/** The config's bytes, where the repository holds them. */
async function readConfig(
  { configs, blobs }: Pick<ManifestPushDeps, 'configs' | 'blobs'>,
  repository: Repository | undefined,
  manifest: ParsedManifest,
  held: readonly BlobRow[],
): Promise<Buffer | undefined> {
  let row = held.find((blob) => blob.digest === manifest.config?.digest);
  for (;;) {
    if (!row || !repository) return undefined;
    try {
      return await configs.read(row);
    } catch (error) {
      if (!(error instanceof RegistryError && error.kind === 'blob-unknown')) throw error;
      // Collected since it was looked up, or pushed again under another key.
      const now = await blobs.find(repository.id, row.digest);
      if (now?.key === row.key) {
        throw refuse('unavailable', `The bytes of ${row.digest} are missing from the store.`);
      }
      row = now;
    }
  }
}

function measurable(manifest: ParsedManifest, held: readonly BlobRow[]) {
  const stored = new Set(held.map((blob) => blob.digest));
  return manifest.layers.flatMap(({ digest, mediaType }) => {
    const compression = layerCompressionOf(mediaType);
    return compression && stored.has(digest) ? [{ digest, compression }] : [];
  });
}
