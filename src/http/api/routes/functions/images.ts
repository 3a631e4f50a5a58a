import { mayAct } from '../../../../auth/authorizer.ts';
import { type Digest, parseDigest } from '../../../../oci/digest.ts';
import { refuse } from '../../../../oci/errors.ts';
import { parseManifest } from '../../../../oci/manifest.ts';
import { isTag, parseRepositoryPath, type RepositoryPath } from '../../../../oci/reference.ts';
import { isDeployable } from '../../../../policy/deployable.ts';
import type { FunctionEnvironment, Service } from '../../../../ports/functions.ts';
import type { Call } from '../../route.ts';

/** An image that the body of a call names for a service. */
export async function imageOf(
  call: Call,
  serviceName: string,
  target: { environment: FunctionEnvironment; name: string },
): Promise<{ serviceId: string; repositoryId: string; reference: string; digest: Digest }> {
  const { metadata } = call.services;
  const given = call.body as { repository?: string; reference?: string };
  const service = await metadata.services.find(call.project.id, serviceName);
  if (!service) {
    throw refuse(
      'not-found',
      `The project has no service "${serviceName}".`,
      'Make it first: POST …/services, or push to a repository of that name.',
    );
  }
  const reference = given.reference ?? tagOf(call, target);
  if (!parseDigest(reference) && !isTag(reference)) {
    throw refuse('invalid', '"reference" in the body is neither a tag nor a digest.');
  }
  const path = await pathOf(call, service, given.repository);
  const resolved = path && (await metadata.manifests.resolve(path, reference));
  if (!path || !resolved?.manifest || !mayAct(call.identity, resolved.repository, 'pull')) {
    throw noImage(path, reference);
  }
  const { repository, manifest } = resolved;
  if (repository.teamId !== call.project.teamId && repository.visibility !== 'public') {
    throw refuse(
      'denied',
      "A project runs images of its own team, and public ones of others: that repository is another team's, and not public.",
      'Push the image to a repository of this team.',
    );
  }
  const content = await metadata.manifests.content(manifest.digest);
  if (!content || !isDeployable(parseManifest(content, manifest.mediaType))) {
    throw refuse(
      'invalid',
      'That is no image that could run.',
      'Name an image, or an index of images.',
    );
  }
  const { id: repositoryId } = repository;
  return { serviceId: service.id, repositoryId, reference, digest: manifest.digest };
}

function tagOf(call: Call, { environment, name }: { environment: string; name: string }): string {
  if (environment === 'preview') return name;
  return call.project.settings.functions?.productionTag ?? 'latest';
}

async function pathOf(
  call: Call,
  service: Service,
  given: string | undefined,
): Promise<RepositoryPath | undefined> {
  const own = { team: call.project.teamSlug, project: call.project.slug };
  if (given?.includes('/')) return parseRepositoryPath(given);
  if (given !== undefined) return { ...own, repository: given };
  const { repositoryId } = service;
  const bound = repositoryId && (await call.services.metadata.repositories.details(repositoryId));
  if (bound) return { ...own, repository: bound.name };
  throw refuse(
    'conflict',
    `The service "${service.name}" is bound to no repository.`,
    'Name one: {"repository": "web"}, or bind it: PATCH …/services/<name>.',
  );
}

/** The same for what is not there and for what the caller may not see. */
function noImage(path: RepositoryPath | undefined, reference: string) {
  const name = path ? `${path.team}/${path.project}/${path.repository}` : 'that name';
  return refuse(
    'not-found',
    `There is no image "${reference}" in ${name}, or you have no access to it.`,
    'List its tags: GET /v2/<name>/tags/list.',
  );
}
