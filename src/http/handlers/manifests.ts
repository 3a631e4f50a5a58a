import { parseDigest } from '../../oci/digest.ts';
import { RegistryError, refuse } from '../../oci/errors.ts';
import { isTag } from '../../oci/reference.ts';
import { checkTag } from '../../policy/tags.ts';
import type { Repository } from '../../ports/repositories.ts';
import { requireAccess, requirePull } from '../access.ts';
import { readBody } from '../body.ts';
import {
  answer,
  type Context,
  type Handler,
  type Headers,
  sendHead,
  warningHeaders,
} from '../context.ts';
import { pushWarnings } from '../push-warnings.ts';
import { pushTarget } from './push-target.ts';

/** Longer lists would not fit into one OCI-Tag header of clients' limits. */
const mostTags = 100;

/** distribution-spec, "Pulling manifests" and "Checking if content exists". */
export const getManifest: Handler = async ({ req, res, request, session, path, services }) => {
  const { reference, name } = request;
  checkReference(reference);
  const resolved = await services.pull.resolveManifest(path, reference);
  const repository = resolved?.repository;
  const place = repository ?? (await absentPlace(services, path));
  if (session.identity.kind === 'pull') {
    await requirePull(session, name, place, parseDigest(reference), services.pull);
  } else requireAccess(session, name, place, 'pull');
  const manifest = resolved?.manifest;
  if (!repository || !manifest) throw repository ? unknownManifest(reference) : unknownRepository();
  if (req.method === 'GET') services.pulled(repository.id);
  // A push asks by digest what it need not send; who watches a tag has not used what it points at.
  if (req.method === 'GET' || reference === manifest.digest) {
    services.used(repository.id, manifest.digest);
  }
  const etag = `"${manifest.digest}"`;
  const headers = [
    'Content-Type',
    manifest.mediaType,
    'Docker-Content-Digest',
    manifest.digest,
    'ETag',
    etag,
    'X-Content-Type-Options',
    'nosniff',
    'Content-Length',
    String(manifest.size),
  ];
  if (req.headers['if-none-match'] === etag) {
    sendHead(res, 304, headers.slice(0, -2)).end();
    return;
  }
  // Asked for HEAD, too: who is told that it is there does not push it again.
  const content =
    services.pull.cachedContent(manifest.digest) ??
    (await services.pull.manifestContent(manifest.digest));
  if (!content) throw lostManifest(reference);
  if (req.method === 'HEAD') {
    sendHead(res, 200, headers).end();
    return;
  }
  // The encoding is of contents that are texts. Head and text go out in one write.
  sendHead(res, 200, headers).end(content, 'latin1');
};

/** distribution-spec, "Pushing Manifests", by tag or by digest with `tag` parameters. */
export const putManifest: Handler = async (context) => {
  const { req, res, request, services, session } = context;
  const { reference, name, query } = request;
  checkReference(reference);
  const digest = parseDigest(reference);
  const tags = digest ? [...new Set(query.getAll('tag'))] : [reference];
  if (tags.length > mostTags) {
    throw refuse('invalid', `A manifest takes at most ${mostTags} tags in one request.`);
  }
  for (const tag of tags) checkTagName(tag);
  const target = await pushTarget(context);
  const bytes = await readBody(context, services.settings.manifestLimit);
  const result = await services.putManifest({
    ...target,
    bytes,
    contentType: req.headers['content-type'],
    digest,
    tags,
    actor: session.identity.actor,
  });
  services.used(result.repositoryId, result.digest);
  const { identity } = session;
  const own = { id: result.repositoryId, teamId: target.project.teamId };
  const warnings = await pushWarnings(services, identity, target.plan, own);
  const headers: Headers = {
    Location: `${services.origins.publicUrl ?? ''}/v2/${name}/manifests/${result.digest}`,
    'Docker-Content-Digest': result.digest,
    ...warningHeaders([...result.warnings, ...warnings]),
  };
  const [deployed] = result.deployments;
  const url = deployed && services.deploymentUrl?.(deployed.host);
  if (url) headers['Gantry-Deployment-Url'] = url;
  if (result.subject) headers['OCI-Subject'] = result.subject;
  if (digest && tags.length > 0) headers['OCI-Tag'] = tags.join(', ');
  answer(res, 201, headers);
};

/** distribution-spec, "Deleting tags" and "Deleting Manifests". */
export const deleteManifest: Handler = async (context) => {
  const { res, request, session, path, services } = context;
  const { reference, name } = request;
  checkReference(reference);
  const repository = await services.metadata.repositories.find(path);
  requireAccess(session, name, repository ?? (await absentPlace(services, path)), 'delete');
  if (!repository) throw unknownRepository();
  const common = {
    repositoryId: repository.id,
    actor: session.identity.actor,
    now: services.clock.now(),
  };
  const digest = parseDigest(reference);
  const restorableUntil = restorableUntilOf(services, common.now);
  if (digest) {
    const deletion = { ...common, digest, restorableUntil };
    await services.metadata.writer.run('DeleteManifest', deletion);
  }
  if (!digest) await services.metadata.writer.run('DeleteTag', { ...common, tag: reference });
  answer(res, 202, {});
};

/** Until when what is deleted `now` can come back. */
export function restorableUntilOf(
  { settings: { undeleteForMs } }: Pick<Context['services'], 'settings'>,
  now: number,
): number | undefined {
  return undeleteForMs > 0 ? now + undeleteForMs : undefined;
}

/** The place of a repository that does not exist: its project's, where that does. */
export async function absentPlace(
  services: Context['services'],
  path: Context['path'] & object,
): Promise<Pick<Repository, 'teamId' | 'projectId' | 'visibility'> | undefined> {
  const project = await services.metadata.projects.findBySlugs(path.team, path.project);
  return project && { teamId: project.teamId, projectId: project.id, visibility: 'private' };
}

export function unknownRepository(): RegistryError {
  return refuse(
    'name-unknown',
    'The repository is not known to this registry, or you have no access to it.',
    'Check the name (team/project/repository) and which account you are logged in with.',
  );
}

/** Its row is there, and its bytes are not: it was deleted just now, or they were damaged and put aside. */
function lostManifest(reference: string): RegistryError {
  return refuse(
    'manifest-unknown',
    `The stored bytes of the manifest ${reference} are damaged or gone.`,
    'Push the image again: that repairs it.',
    { reference },
  );
}

function unknownManifest(reference: string): RegistryError {
  return refuse(
    'manifest-unknown',
    `The repository holds no manifest ${reference}.`,
    'List what it holds: GET /v2/<name>/tags/list.',
    { reference },
  );
}

function checkReference(reference: string): void {
  if (reference.includes(':')) {
    if (parseDigest(reference)) return;
    throw refuse(
      'digest-invalid',
      'The digest is malformed or of an algorithm that is not supported.',
      'Use sha256:<64 hex digits> or sha512:<128 hex digits>.',
    );
  }
  checkTagName(reference);
}

function checkTagName(tag: string): void {
  if (isTag(tag)) return;
  const decision = checkTag(tag);
  if (!decision.allow) throw new RegistryError(decision.error);
}
