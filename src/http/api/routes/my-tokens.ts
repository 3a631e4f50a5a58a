import { mayAct } from '../../../auth/authorizer.ts';
import { covers, mayMake } from '../../../auth/delegation.ts';
import { refuse } from '../../../oci/errors.ts';
import type { Token } from '../../../ports/tokens.ts';
import { heldToken, personOf } from '../caller.ts';
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

const access = { at: 'signed-in' } as const;
const tag = 'Tokens';

/** Tokens of the person who calls. Robots have none: 403. */
export const myTokenRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/me/tokens',
    operationId: 'listMyTokens',
    tag,
    summary: "The caller's own tokens, newest first, without their secrets.",
    access,
    query: pageQuery(),
    replies: { 200: { description: 'A page of tokens.', schema: page(tokenSchema, 'Tokens') } },
    async handle(call) {
      return ok(await tokenPage(call, { accountId: personOf(call) }));
    },
  },
  {
    method: 'POST',
    path: '/me/tokens',
    operationId: 'createMyToken',
    tag,
    summary: "Makes a token of the caller's own. It is shown this once.",
    description:
      'It works in every team that the person is in, as far as the role there goes. A token makes none that may do more than itself, or that outlives it.',
    access,
    body: tokenBody,
    idempotent: true,
    replies: { 201: { description: 'The token.', schema: newTokenSchema } },
    async handle(call) {
      const { services, identity } = call;
      const accountId = personOf(call);
      const request = call.body as TokenRequest;
      const ids = await projectIds(call, request.projects, undefined, (project) =>
        mayAct(
          identity,
          { teamId: project.teamId, projectId: project.id, visibility: 'private' },
          'pull',
        ),
      );
      const owner = { teamId: undefined, accountId, projectIds: ids };
      const { token, secret, hash } = makeToken(request, owner, services.clock.now());
      const maker = await heldToken(call);
      if (maker && !mayMake(maker, token)) {
        throw refuse(
          'denied',
          `The token "${maker.name}" may make no token that may do more than itself, or that outlives it.`,
          'Ask for a narrower scope, for its projects, or for a shorter time; or sign in.',
        );
      }
      const { actor } = identity;
      await services.metadata.writer.run('CreateToken', { token, hash, actor });
      const [view] = await tokenViews(call, [token]);
      const answer = { ...view, token: secret, usernames: await usernamesOf(call, accountId) };
      return created(answer, `/me/tokens/${token.id}`);
    },
  },
  {
    method: 'GET',
    path: '/me/tokens/{token}',
    operationId: 'getMyToken',
    tag,
    summary: "One of the caller's own tokens, without its secret.",
    access,
    params,
    replies: { 200: { description: 'The token.', schema: tokenSchema } },
    refusals: [404],
    async handle(call) {
      const [view] = await tokenViews(call, [await tokenOf(call)]);
      return ok(view);
    },
  },
  {
    method: 'DELETE',
    path: '/me/tokens/{token}',
    operationId: 'revokeMyToken',
    tag,
    summary: "Ends one of the caller's own tokens within seconds.",
    description: 'A token ends none that may do more than itself.',
    access,
    params,
    replies: { 204: { description: 'It is revoked.' } },
    refusals: [404],
    async handle(call) {
      const { services, identity } = call;
      const token = await tokenOf(call);
      const held = await heldToken(call);
      if (held && held.id !== token.id && !covers(held, token)) {
        throw refuse(
          'denied',
          `The token "${held.name}" may not end one that may do more than itself.`,
          'Use a token of a wider scope, or sign in.',
        );
      }
      const now = services.clock.now();
      const { id } = token;
      await services.metadata.writer.run('RevokeToken', { id, now, actor: identity.actor });
      return noContent;
    },
  },
];

async function usernamesOf({ services }: Call, accountId: string) {
  const { teams } = services.metadata;
  const usernames: { team: string; username: string }[] = [];
  for (const { teamId } of await teams.listMemberships(accountId)) {
    const team = await teams.findById(teamId);
    if (team) usernames.push({ team: team.slug, username: team.id });
  }
  return usernames;
}

async function tokenOf(call: Call): Promise<Token> {
  const accountId = personOf(call);
  const token = await call.services.metadata.tokens.findById(call.params.token!);
  if (token?.accountId === accountId) return token;
  throw refuse('not-found', 'You have no such token.', 'List them: GET /api/v1/me/tokens.');
}
