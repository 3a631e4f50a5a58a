import { allActions } from '../../../ports/trust-policies.ts';
import { ok, type Route } from '../route.ts';
import { list, nullable, object, oneOf } from '../schema.ts';

const grant = object(
  {
    teamId: { type: 'string' },
    team: nullable({ type: 'string', description: "The team's slug." }),
    projectIds: nullable(list({ type: 'string' }, { description: 'Null: all projects.' })),
    actions: list(oneOf(...allActions)),
  },
  { title: 'Grant' },
);
const me = object(
  {
    id: { type: 'string' },
    kind: oneOf('token', 'oidc', 'session'),
    actor: { type: 'string', description: "A token's name, a person's, or a JWT's subject." },
    accountId: nullable({ type: 'string' }),
    operator: { type: 'boolean' },
    grants: list(grant),
  },
  { title: 'Me' },
);

export const meRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/me',
    operationId: 'getMe',
    tag: 'Signing in',
    summary: 'Who the caller is, and what it may do where.',
    access: { at: 'signed-in' },
    replies: { 200: { description: 'The caller.', schema: me } },
    async handle({ identity, services }) {
      const { teams } = services.metadata;
      const grants = await Promise.all(
        identity.grants.map(async ({ teamId, projectIds, actions }) => ({
          teamId,
          team: (await teams.findById(teamId))?.slug ?? null,
          projectIds: projectIds ?? null,
          actions,
        })),
      );
      return ok({
        id: identity.id,
        kind: identity.kind,
        actor: identity.actor,
        accountId: identity.accountId ?? null,
        operator: identity.operator === true,
        grants,
      });
    },
  },
];
