import type { Grant, Identity } from '../ports/identity.ts';
import type { Token } from '../ports/tokens.ts';
import { mayAct, mayActInTeam } from './authorizer.ts';
import { actionsOf } from './identities.ts';

/**
 * Whether `identity` may hand `grant` on to another: nobody gives what it has not itself, each action in
 * each project. Operators may, as they hold the installation itself.
 */
export function mayGive(identity: Identity, { teamId, projectIds, actions }: Grant): boolean {
  if (identity.operator) return true;
  return actions.every((action) =>
    projectIds === undefined
      ? mayActInTeam(identity, teamId, action)
      : projectIds.every((projectId) =>
          mayAct(identity, { teamId, projectId, visibility: 'private' }, action),
        ),
  );
}

type Reach = Pick<Token, 'scope' | 'projectIds'>;

/** Whether one token of a person may do all that another of that person may. */
export function covers(outer: Reach, inner: Reach): boolean {
  const actions = actionsOf[inner.scope].every((action) => actionsOf[outer.scope].includes(action));
  const projects =
    outer.projectIds === undefined ||
    (inner.projectIds?.every((id) => outer.projectIds?.includes(id)) ?? false);
  return actions && projects;
}

/** Whether a person's token may make another: one that may do no more, nowhere else, and no longer. */
export function mayMake(
  maker: Reach & Pick<Token, 'expiresAt'>,
  made: Reach & Pick<Token, 'expiresAt'>,
): boolean {
  const ends = made.expiresAt ?? Number.POSITIVE_INFINITY;
  return covers(maker, made) && ends <= (maker.expiresAt ?? Number.POSITIVE_INFINITY);
}
