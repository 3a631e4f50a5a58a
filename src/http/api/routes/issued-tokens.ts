import { refuse } from '../../../oci/errors.ts';
import type { IssuedToken } from '../../../ports/issued-tokens.ts';
import { allActions } from '../../../ports/trust-policies.ts';
import { limitOf, pageQuery } from '../paging.ts';
import { noContent, ok, type Route } from '../route.ts';
import { list, nullable, object, oneOf, page, time, toTime } from '../schema.ts';

const issuedToken = object(
  {
    id: { type: 'string' },
    name: { type: 'string', description: "The JWT's subject." },
    issuer: { type: 'string', description: "The JWT's issuer." },
    policyIds: list({ type: 'string' }, { description: 'The trust policies that it stands on.' }),
    projectIds: nullable(
      list({ type: 'string' }, { description: 'Null: those that its policies give.' }),
    ),
    actions: nullable(
      list(oneOf(...allActions), { description: 'Null: those that its policies give.' }),
    ),
    state: oneOf('active', 'expired', 'revoked'),
    createdAt: time,
    expiresAt: time,
    revokedAt: nullable(time),
  },
  { title: 'IssuedToken' },
);

const path = '/teams/{team}/issued-tokens';
const access = { at: 'team', action: 'manage' } as const;

export const issuedTokenRoutes: readonly Route[] = [
  {
    method: 'GET',
    path,
    operationId: 'listIssuedTokens',
    tag: 'Signing in',
    summary: 'Short-lived tokens that CI jobs exchanged their JWTs for, newest first.',
    description: 'Those that expired are kept for a day.',
    access,
    query: pageQuery(),
    replies: {
      200: { description: 'A page.', schema: page(issuedToken, 'IssuedTokenPage') },
    },
    async handle(call) {
      const { cursors, metadata, clock } = call.services;
      const scope = `issued-tokens:${call.team.id}`;
      const [before] = cursors.read(scope, call.query.cursor) ?? [];
      const limit = limitOf(call);
      const after = before === undefined ? undefined : String(before);
      const rows = await metadata.issuedTokens.list(call.team.id, after, limit + 1);
      const { items, next } = cursors.page(scope, rows, limit, (row) => [row.id]);
      return ok({ items: items.map((row) => viewOf(row, clock.now())), next });
    },
  },
  {
    method: 'DELETE',
    path: `${path}/{token}`,
    operationId: 'revokeIssuedToken',
    tag: 'Signing in',
    summary: 'Revokes such a token; it is refused everywhere within 5 seconds.',
    access,
    params: { token: { type: 'string', maxLength: 64, description: "The token's id." } },
    replies: { 204: { description: 'It is revoked.' } },
    async handle({ params, team, services }) {
      const { metadata, clock } = services;
      const issued = await metadata.issuedTokens.findById(params.token ?? '');
      if (issued?.teamId !== team.id) {
        throw refuse(
          'not-found',
          'The team has no such issued token.',
          'GET /api/v1/teams/{team}/issued-tokens lists them; those that expired a day ago are gone.',
        );
      }
      await metadata.writer.run('RevokeIssuedToken', { id: issued.id, now: clock.now() });
      return noContent;
    },
  },
];

function viewOf(token: IssuedToken, now: number) {
  const { id, name, credential, projectIds, actions, createdAt, expiresAt, revokedAt } = token;
  return {
    id,
    name,
    issuer: credential.issuer,
    policyIds: credential.policyIds,
    projectIds: projectIds ?? null,
    actions: actions ?? null,
    state: revokedAt !== undefined ? 'revoked' : expiresAt <= now ? 'expired' : 'active',
    createdAt: toTime(createdAt),
    expiresAt: toTime(expiresAt),
    revokedAt: revokedAt === undefined ? null : toTime(revokedAt),
  };
}
