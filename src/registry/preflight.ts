import { countLimits, type Plan } from '../config/plans.ts';
import { algorithmOf, type Digest, digestOf } from '../oci/digest.ts';
import { type ErrorKind, RegistryError } from '../oci/errors.ts';
import { type ParsedManifest, parseManifest, requiredBlobs } from '../oci/manifest.ts';
import { matchingPattern } from '../oci/tag-pattern.ts';
import { formatBytes } from '../policy/format-bytes.ts';
import { imageProblems, type Problem } from '../policy/image-problems.ts';
import { isRunnable } from '../policy/runnable.ts';
import { checkTag } from '../policy/tags.ts';
import { effectiveRules } from '../ports/image-rules.ts';
import type { Metadata } from '../ports/metadata.ts';
import type { Project } from '../ports/projects.ts';
import type { Repository } from '../ports/repositories.ts';

/** A document as somebody has it. `exact`: these bytes are what will be pushed, so their digest is known. */
export interface Document {
  readonly bytes: Buffer;
  readonly exact: boolean;
}

/** What would be pushed, and where. */
export interface PreflightRequest {
  /** Undefined: the name leads to no project. */
  readonly target:
    | {
        readonly project: Project;
        readonly plan: Plan;
        /** Undefined: the push would make it. */
        readonly repository: Repository | undefined;
        /** False: tags that are there must stay as they are. */
        readonly overwrite: boolean;
      }
    | undefined;
  readonly actor: string;
  readonly tags: readonly string[];
  readonly manifest: Document;
  readonly mediaType: string | undefined;
  readonly config: Document | undefined;
}

export interface PreflightResult {
  readonly problems: readonly Problem[];
  readonly warnings: readonly string[];
}

type Target = NonNullable<PreflightRequest['target']>;
type Stores = Pick<Metadata, 'repositories' | 'tags' | 'manifests' | 'blobs' | 'imageRules'>;

/** Every rule that a push would break, told before a byte of it is sent. Writes nothing. */
export async function preflight(
  stores: Stores,
  request: PreflightRequest,
): Promise<PreflightResult> {
  const problems: Problem[] = [];
  const warnings: string[] = [];
  const add = (rule: string, kind: ErrorKind, message: string, hint: string) =>
    problems.push({ rule, error: { kind, message, hint } });

  for (const tag of request.tags) {
    const decision = checkTag(tag);
    if (!decision.allow) problems.push({ rule: 'tag-name', error: decision.error });
  }
  const { target, manifest: document } = request;
  if (target && document.bytes.length > target.plan.manifest) {
    add(
      'manifest-size',
      'manifest-too-large',
      `The manifest has ${formatBytes(document.bytes.length)}, more than the ${formatBytes(target.plan.manifest)} that one may have.`,
      'Move annotations and data fields into blobs, or split the index.',
    );
  }
  const manifest = readManifest(request, problems);
  if (manifest) checkConfig(request, manifest, add, warnings);
  if (!target) return { problems, warnings };
  if (manifest) {
    const facts = { manifest, plan: target.plan, settings: target.project.settings };
    const found = imageProblems({ ...facts, config: request.config?.bytes });
    problems.push(...found.problems);
    warnings.push(...found.warnings);
  }
  const digest = document.exact ? digestOf(document.bytes) : undefined;
  if (target.repository && manifest) {
    problems.push(...(await sizeProblems(stores, target.repository, manifest)));
  }
  problems.push(...(await tagProblems(stores, request, target, digest)));
  problems.push(...(await countProblems(stores, request, target, digest)));
  return { problems, warnings };
}

/** Where the document itself is wrong, the first thing that is. */
function readManifest(
  { manifest, mediaType }: PreflightRequest,
  problems: Problem[],
): ParsedManifest | undefined {
  try {
    return parseManifest(manifest.bytes, mediaType);
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
    problems.push({ rule: 'manifest', error: error.info });
    return undefined;
  }
}

function checkConfig(
  { config }: PreflightRequest,
  manifest: ParsedManifest,
  add: (rule: string, kind: ErrorKind, message: string, hint: string) => void,
  warnings: string[],
): void {
  const named = manifest.config;
  if (!config) {
    if (isRunnable(manifest)) {
      warnings.push(
        'Without the config nothing can be said of the platform that the image is for.',
      );
    }
    return;
  }
  if (!named) {
    add('config', 'manifest-invalid', 'An index has no config.', 'Leave the config out.');
    return;
  }
  if (!config.exact) return;
  const digest = digestOf(config.bytes, algorithmOf(named.digest));
  if (digest !== named.digest || config.bytes.length !== named.size) {
    add(
      'config',
      'manifest-invalid',
      `The manifest names the config ${named.digest} of ${named.size} bytes, and the one that was given is ${digest} of ${config.bytes.length} bytes.`,
      'Send the config as it is stored, byte for byte.',
    );
  }
}

/** A descriptor's size must be that of the blob that the repository holds. */
async function sizeProblems(
  { blobs }: Stores,
  repository: Repository,
  manifest: ParsedManifest,
): Promise<Problem[]> {
  const wanted = requiredBlobs(manifest);
  const held = await blobs.findMany(
    repository.id,
    wanted.map((blob) => blob.digest),
  );
  const sizes = new Map(held.map((blob) => [blob.digest, blob.size]));
  return wanted.flatMap(({ digest, size }): Problem[] => {
    const actual = sizes.get(digest) ?? size;
    if (actual === size) return [];
    const message = `The manifest says that ${digest} has ${size} bytes, and it has ${actual}.`;
    const hint = 'Build the manifest from the blobs that were pushed.';
    return [{ rule: 'blob-size', error: { kind: 'manifest-invalid', message, hint } }];
  });
}

async function tagProblems(
  { tags, imageRules }: Stores,
  request: PreflightRequest,
  { repository, overwrite }: Target,
  digest: Digest | undefined,
): Promise<Problem[]> {
  if (!repository) return [];
  const problems: Problem[] = [];
  const rules = await imageRules.ofRepository(repository.id);
  const { immutableTags } = effectiveRules(rules.own, rules.ofProject);
  for (const tag of new Set(request.tags)) {
    const held = await tags.find(repository.id, tag);
    if (!held || held.digest === digest) continue;
    const pattern = matchingPattern(immutableTags, tag);
    if (pattern !== undefined) {
      const message = `The tag "${tag}" cannot be changed: tags like "${pattern}" are immutable here, and it points at ${held.digest}.`;
      const error = { kind: 'tag-immutable', message, hint: 'Push under a new tag.' } as const;
      problems.push({ rule: 'tag-immutable', error });
    }
    if (overwrite) continue;
    const message = `The tag "${tag}" is there already, and ${request.actor} may push what is new, but may not move a tag.`;
    const hint =
      'Push under a new tag, or use a token of scope write (or a trust policy with the action push).';
    problems.push({ rule: 'tag-overwrite', error: { kind: 'denied', message, hint } });
  }
  return problems;
}

async function countProblems(
  stores: Stores,
  { tags }: PreflightRequest,
  { project, plan, repository }: Target,
  digest: Digest | undefined,
): Promise<Problem[]> {
  const limits = countLimits(plan);
  const problems: Problem[] = [];
  const ask = (rule: string, what: string, held: number, added: number, limit?: number) => {
    if (limit === undefined || added === 0 || held + added <= limit) return;
    const place = rule === 'repository-count' ? 'project' : 'repository';
    const message = `The ${place} holds ${held} ${what}, this push adds ${added}, and the ${plan.name} plan allows ${limit}.`;
    const hint = `Delete ${what} that are not needed, or change the plan: npx gantry admin team set-plan.`;
    problems.push({ rule, error: { kind: 'quota', message, hint } });
  };
  const names = [...new Set(tags)];
  if (!repository) {
    const count = await stores.repositories.count(project.id);
    ask('repository-count', 'repositories', count, 1, limits.repositories);
    ask('image-count', 'images', 0, 1, limits.images);
    ask('tag-count', 'tags', 0, names.length, limits.tags);
    return problems;
  }
  const counted = await stores.repositories.details(repository.id);
  const held = digest && (await stores.manifests.find(repository.id, digest));
  ask('image-count', 'images', counted?.imageCount ?? 0, held ? 0 : 1, limits.images);
  let added = 0;
  for (const tag of names) if (!(await stores.tags.find(repository.id, tag))) added += 1;
  ask('tag-count', 'tags', counted?.tagCount ?? 0, added, limits.tags);
  return problems;
}
