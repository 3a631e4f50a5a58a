import { mayAct } from '../../../auth/authorizer.ts';
import { parseDigest } from '../../../oci/digest.ts';
import { refuse } from '../../../oci/errors.ts';
import { formatRepositoryPath, isTag, parseRepositoryPath } from '../../../oci/reference.ts';
import type { Call } from '../route.ts';

/**
 * The image that a text names: of the project, the team, or a public one. Rejects with `invalid` where it is no
 * name, and with one and the same `not-found` where there is none or the caller may not have it.
 */
export async function imageOf({ services, team, project, identity }: Call, text: string) {
  const match = /^([^:@]+)(?::([^@]*))?(?:@(.+))?$/.exec(text);
  const [, name = '', tag, digest] = match ?? [];
  const full = name.includes('/') ? name : `${team.slug}/${project.slug}/${name}`;
  const path = parseRepositoryPath(full);
  const named = digest === undefined ? isTag(tag ?? 'latest') : parseDigest(digest);
  if (!path || !named) {
    throw refuse(
      'invalid',
      'The image must be repository:tag or repository@digest, or team/project/repository with either.',
    );
  }
  const reference = digest ?? tag ?? 'latest';
  const resolved = await services.metadata.manifests.resolve(path, reference);
  const repository = resolved?.repository;
  const own = repository?.teamId === team.id || repository?.visibility === 'public';
  if (!repository || !resolved.manifest || !own || !mayAct(identity, repository, 'pull')) {
    throw refuse(
      'not-found',
      `There is no image ${text.slice(0, 255)} that the project may run.`,
      "Push it, or name one of the team's images or a public one.",
    );
  }
  return {
    repositoryId: repository.id,
    repository: formatRepositoryPath(path),
    digest: resolved.manifest.digest,
    teamId: repository.teamId,
  };
}
