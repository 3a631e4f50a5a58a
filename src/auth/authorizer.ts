import type { Digest } from '../oci/digest.ts';
import type { Grant, Identity } from '../ports/identity.ts';
import type { CatalogScope, Visibility } from '../ports/repositories.ts';
import type { Action } from '../ports/trust-policies.ts';

/** Where an action would happen. A repository that does not exist yet has its project's place, private. */
export interface Place {
  readonly teamId: string;
  readonly projectId: string;
  readonly visibility: Visibility;
}

export const anonymous: Identity = {
  id: 'anonymous',
  kind: 'anonymous',
  actor: 'anonymous',
  grants: [],
  expiresAt: undefined,
  credential: undefined,
};

/**
 * Whether `identity` may do `action` at `place`. Pure: asked anew on every request. What was minted for a pull may
 * do nothing by this: see `pullScope`.
 */
export function mayAct(identity: Identity, place: Place, action: Action): boolean {
  if (identity.kind === 'pull') return false;
  if (action === 'pull' && place.visibility === 'public') return true;
  for (const grant of identity.grants) {
    if (covers(grant, place) && allows(grant, action)) return true;
  }
  return false;
}

/** The one image that credentials for a pull are good for; undefined: it is no such identity. */
export function pullScope({
  credential,
}: Identity): { readonly repositoryId: string; readonly digest: Digest } | undefined {
  return credential?.type === 'pull' ? credential : undefined;
}

/** Whether `identity` may do `action` in all of a team: a grant that is narrowed to projects is none. */
export function mayActInTeam(identity: Identity, teamId: string, action: Action): boolean {
  return identity.grants.some(
    (grant) => grant.teamId === teamId && grant.projectIds === undefined && allows(grant, action),
  );
}

/** Whether `identity` has to do with the team at all. */
export function knowsTeam(identity: Identity, teamId: string): boolean {
  return identity.grants.some((grant) => grant.teamId === teamId && grant.actions.length > 0);
}

/** Who may push may create. */
function allows(grant: Grant, action: Action): boolean {
  return grant.actions.includes(action) || (action === 'create' && grant.actions.includes('push'));
}

/** The teams and projects whose repositories `identity` may list. */
export function catalogScopes(identity: Identity): CatalogScope[] {
  return identity.grants
    .filter((grant) => grant.actions.includes('pull'))
    .map(({ teamId, projectIds }) => ({ teamId, projectIds }));
}

function covers(grant: Grant, place: Place): boolean {
  return (
    grant.teamId === place.teamId &&
    (grant.projectIds === undefined || grant.projectIds.includes(place.projectId))
  );
}
