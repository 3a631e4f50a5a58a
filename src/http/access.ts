import type { Session } from '../auth/authenticator.ts';
import { mayAct, type Place, pullScope } from '../auth/authorizer.ts';
import type { Digest } from '../oci/digest.ts';
import { type RegistryError, refuse } from '../oci/errors.ts';
import type { Repository } from '../ports/repositories.ts';
import type { Action } from '../ports/trust-policies.ts';
import type { Pull } from '../registry/pull.ts';

/**
 * Throws unless the session may do `action` at `place` (undefined: there is no such place). What a
 * stranger is told is the same whether the place exists or not: anonymous callers are asked to log in,
 * others hear that the name is unknown. Only who may pull is told that pushing is denied, and why.
 */
export function requireAccess(
  session: Session,
  name: string,
  place: Place | undefined,
  action: Action,
): void {
  const { identity, access } = session;
  const may = place !== undefined && mayAct(identity, place, action);
  if (may && !session.expired && isGranted(session, name, action)) return;
  if (session.expired || identity.kind === 'anonymous') throw unauthorized();
  if (may && access !== undefined) throw unauthorized();
  if (place !== undefined && mayAct(identity, place, 'pull')) throw denied(session, name, action);
  throw unknownName();
}

/**
 * As `requireAccess` for pulling one manifest or blob. Credentials that were minted for a pull are good for what
 * their image is made of, in its repository, and for nothing else: all else looks absent to them.
 */
export async function requirePull(
  session: Session,
  name: string,
  place: Repository | Place | undefined,
  digest: Digest | undefined,
  pull: Pick<Pull, 'isPartOf'>,
): Promise<void> {
  const scope = pullScope(session.identity);
  if (!scope) return requireAccess(session, name, place, 'pull');
  if (session.expired) throw unauthorized();
  const own = place !== undefined && 'id' in place && place.id === scope.repositoryId;
  if (!own || digest === undefined || !(await pull.isPartOf(scope.digest, digest))) {
    throw unknownName();
  }
  if (!isGranted(session, name, 'pull')) throw unauthorized();
}

/** Whether the request's token was issued for this; credentials that came with the request allow all. */
export function isGranted(session: Session, name: string, action: Action): boolean {
  if (session.access === undefined) return true;
  const wire = action === 'create' ? 'push' : action;
  return session.access.some(
    (access) =>
      access.type === 'repository' && access.name === name && access.actions.includes(wire),
  );
}

export function unauthorized(
  message = 'Authentication is required.',
  hint = 'Log in first: docker login, with the team id (team_…) as the username and a token as the password.',
): RegistryError {
  return refuse('unauthorized', message, hint);
}

export function unknownName(): RegistryError {
  return refuse(
    'name-unknown',
    'The repository is not known to this registry, or you have no access to it.',
    'Check the name (team/project/repository) and which account you are logged in with.',
  );
}

function denied(session: Session, name: string, action: Action): RegistryError {
  return refuse(
    'denied',
    `${session.identity.actor} may pull from ${name}, but may not ${action === 'delete' ? 'delete from' : 'push to'} it.`,
    action === 'delete'
      ? 'Deleting needs a token of scope admin, or a trust policy with the action delete.'
      : 'Pushing needs a token of scope write, a role above viewer, or a trust policy with the action push.',
  );
}
