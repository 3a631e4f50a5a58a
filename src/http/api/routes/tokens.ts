import { mayGive } from '../../../auth/delegation.ts';
import { actionsOf } from '../../../auth/identities.ts';
import { refuse } from '../../../oci/errors.ts';
import type { Token } from '../../../ports/tokens.ts';
import { pageQuery } from '../paging.ts';
import { type Call, created, noContent, ok, type Route } from '../route.ts';
import { page } from '../schema.ts';
import {
  makeToken,
  newTokenSchema,
  tokenParams as params,
  projectIds,
  type TokenRequest,
  tokenBody,
  tokenPage,
  tokenSchema,
  tokenViews,
} from '../token-views.ts';

const access = { at: 'team', action: 'manage' } as const;
const tag = 'Tokens';
export const tokenRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/teams/{team}/tokens',
    operationId: 'listTokens',
    tag,
    summary: "A team's own tokens, newest first, without their secrets.",
    access,
    query: pageQuery(),
    replies: { 200: { description: 'A page of tokens.', schema: page(tokenSchema, 'Tokens') } },
    async handle(call) {
      return ok(await tokenPage(call, { teamId: call.team.id }));
    },
  },
  {
    method: 'POST',
    path: '/teams/{team}/tokens',
    operationId: 'createToken',
    tag,
    summary: 'Makes a token of the team, for a robot. It is shown this once.',
    description: 'Nobody makes a token that may do more than the caller, or that outlives it.',
    access,
    body: tokenBody,
    idempotent: true,
    replies: { 201: { description: 'The token.', schema: newTokenSchema } },
    async handle(call) {
      const { services, identity, team } = call;
      const request = call.body as TokenRequest;
      const ids = await projectIds(call, request.projects, team.slug, (p) => p.teamId === team.id);
      const grant = { teamId: team.id, projectIds: ids, actions: actionsOf[request.scope] };
      if (!mayGive(identity, grant)) {
        throw refuse(
          'denied',
          `${identity.actor} may do less than a token of scope ${request.scope}, and cannot make one.`,
          'Ask for a narrower scope or fewer projects, or ask an admin of the team.',
        );
      }
      const owner = { teamId: team.id, accountId: undefined, projectIds: ids };
      const { token, secret, hash } = makeToken(request, owner, services.clock.now());
      const end = identity.expiresAt;
      // Else an hour with a CI job's token would be for ever.
      if (end !== undefined && (token.expiresAt === undefined || token.expiresAt > end)) {
        throw refuse(
          'denied',
          `${identity.actor} expires at ${new Date(end).toISOString()}, and may make no token that outlives it.`,
          'Give it an earlier "expires", or make it with a token that does not expire.',
        );
      }
      const { actor } = identity;
      await services.metadata.writer.run('CreateToken', { token, hash, actor });
      const [view] = await tokenViews(call, [token]);
      const usernames = [{ team: team.slug, username: team.id }];
      const answer = { ...view, token: secret, usernames };
      return created(answer, `/teams/${team.slug}/tokens/${token.id}`);
    },
  },
  {
    method: 'GET',
    path: '/teams/{team}/tokens/{token}',
    operationId: 'getToken',
    tag,
    summary: 'A token of the team, without its secret.',
    access,
    params,
    replies: { 200: { description: 'The token.', schema: tokenSchema } },
    async handle(call) {
      const [view] = await tokenViews(call, [await tokenOf(call)]);
      return ok(view);
    },
  },
  {
    method: 'DELETE',
    path: '/teams/{team}/tokens/{token}',
    operationId: 'revokeToken',
    tag,
    summary: 'Ends a token of the team within seconds, in pushes under way, too.',
    description: 'It stays in the list, as revoked. Revoking it again changes nothing.',
    access,
    params,
    replies: { 204: { description: 'It is revoked.' } },
    async handle(call) {
      const { services, identity } = call;
      const { id } = await tokenOf(call);
      const now = services.clock.now();
      await services.metadata.writer.run('RevokeToken', { id, now, actor: identity.actor });
      return noContent;
    },
  },
];

async function tokenOf({ services, team, params }: Call): Promise<Token> {
  const token = await services.metadata.tokens.findById(params.token!);
  if (token?.teamId === team.id) return token;
  throw refuse(
    'not-found',
    'The team has no such token.',
    'List them: GET /api/v1/teams/{team}/tokens.',
  );
}
