import { parseDuration } from '../config/units.ts';
import { refuse } from '../oci/errors.ts';
import { quote } from '../oci/quote.ts';
import type { Account, Team } from '../ports/teams.ts';
import type { Token } from '../ports/tokens.ts';
import type { AdminDeps, Handlers } from './admin-context.ts';
import type { AdminLookup } from './admin-lookup.ts';
import type { NewTokenView, TokenOwner, TokenView } from './admin-methods.ts';

type TokenMethods = 'token.create' | 'token.list' | 'token.revoke';
type Owner = { team: Team; account?: undefined } | { account: Account; team?: undefined };

/** Team tokens and account tokens: made, shown without their secret, revoked. */
export function tokenHandlers(deps: AdminDeps, lookup: AdminLookup): Pick<Handlers, TokenMethods> {
  const { tokens, teams, writer } = deps.metadata;

  async function ownerOf(params: TokenOwner): Promise<Owner> {
    if ((params.team === undefined) === (params.account === undefined)) {
      throw refuse(
        'invalid',
        'A token belongs to a team (a robot) or to an account (a person): exactly one of team and account must be given.',
        'npx gantry admin token create --team <slug>, or --account <name>',
      );
    }
    return params.team === undefined
      ? { account: await lookup.account(params.account!) }
      : { team: await lookup.team(params.team) };
  }

  /** The usernames that go with the token: a team's id each. */
  async function loginsOf(owner: Owner): Promise<NewTokenView['logins']> {
    if (owner.team) return [{ team: owner.team.slug, username: owner.team.id }];
    const logins: NewTokenView['logins'] = [];
    for (const { id, slug } of await teams.list()) {
      if (await teams.findMember(id, owner.account.id)) logins.push({ team: slug, username: id });
    }
    return logins;
  }

  async function viewOf(token: Token): Promise<TokenView> {
    const projects = await lookup.projectPaths(token.projectIds);
    const { expiresAt, revokedAt, lastUsedAt } = token;
    return {
      id: token.id,
      name: token.name,
      owner: await ownerName(token),
      scope: token.scope,
      ...(projects && { projects }),
      state: stateOf(token, deps.clock.now()),
      createdAt: token.createdAt,
      ...(expiresAt !== undefined && { expiresAt }),
      ...(revokedAt !== undefined && { revokedAt }),
      ...(lastUsedAt !== undefined && { lastUsedAt }),
    };
  }

  async function ownerName({ teamId, accountId }: Token): Promise<string> {
    if (teamId !== undefined) return `team ${(await teams.findById(teamId))?.slug ?? teamId}`;
    return `account ${(await teams.findAccount(accountId!))?.name ?? accountId}`;
  }

  return {
    async 'token.create'(params) {
      const owner = await ownerOf(params);
      const now = deps.clock.now();
      const { secret, hash } = deps.newToken();
      const token: Token = {
        id: deps.newId('tok'),
        name: params.name ?? `admin ${new Date(now).toISOString().slice(0, 10)}`,
        teamId: owner.team?.id,
        accountId: owner.account?.id,
        scope: params.scope ?? 'write',
        projectIds: await lookup.projectIds(params.projects, owner.team),
        createdAt: now,
        expiresAt: params.expires === undefined ? undefined : now + parseDuration(params.expires)!,
        revokedAt: undefined,
        lastUsedAt: undefined,
      };
      await writer.run('CreateToken', { token, hash });
      return {
        ...(await viewOf(token)),
        token: secret,
        registry: new URL(deps.status().url).host,
        logins: await loginsOf(owner),
      };
    },

    async 'token.list'(params) {
      const owner = await ownerOf(params);
      const filter = owner.team ? { teamId: owner.team.id } : { accountId: owner.account.id };
      const views: TokenView[] = [];
      for (const token of await tokens.list(filter)) views.push(await viewOf(token));
      return { tokens: views };
    },

    async 'token.revoke'({ token: id }) {
      const token = await tokens.findById(id);
      if (!token) {
        throw refuse(
          'not-found',
          `There is no token with the id ${quote(id)}.`,
          'npx gantry admin token list --team <slug>, or --account <name>',
        );
      }
      const now = deps.clock.now();
      await writer.run('RevokeToken', { id, now });
      return {
        revoked: true,
        token: await viewOf({ ...token, revokedAt: token.revokedAt ?? now }),
      };
    },
  };
}

function stateOf({ revokedAt, expiresAt }: Token, now: number): TokenView['state'] {
  if (revokedAt !== undefined) return 'revoked';
  return expiresAt !== undefined && expiresAt <= now ? 'expired' : 'active';
}
