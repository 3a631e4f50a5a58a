import { mayAct } from '../../../../auth/authorizer.ts';
import { refuse } from '../../../../oci/errors.ts';
import type { Action } from '../../../../ports/trust-policies.ts';
import type { Call } from '../../route.ts';

export const repositoriesPath = '/teams/{team}/projects/{project}/repositories';
export const repositoryPath = `${repositoriesPath}/{repository}`;

/** Whether the caller may do `action` in the project of the path, where nothing is public. */
export function mayInProject({ identity, project }: Call, action: Action): boolean {
  const { teamId, id: projectId } = project;
  return mayAct(identity, { teamId, projectId, visibility: 'private' }, action);
}

/** `/teams/…` of the repository, below /api/v1. */
export function locationOf({ team, project }: Call, name: string): string {
  return `/teams/${team.slug}/projects/${project.slug}/repositories/${name}`;
}

export function unknownTag(tag: string) {
  return refuse(
    'not-found',
    `The repository has no tag "${tag}".`,
    'List its tags: GET …/repositories/{repository}/tags.',
  );
}

export function unknownManifest(digest: string) {
  return refuse(
    'not-found',
    `The repository holds no manifest ${digest}.`,
    'List what it holds: GET …/repositories/{repository}/manifests.',
  );
}
