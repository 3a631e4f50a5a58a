import { createHash } from 'node:crypto';
import type { Clock } from '../ports/clock.ts';
import type { Grant, Identity } from '../ports/identity.ts';
import type { Role, Teams } from '../ports/teams.ts';
import type { RefreshCredential, Token, TokenScope, Tokens } from '../ports/tokens.ts';
import type { Action, TrustPolicies } from '../ports/trust-policies.ts';

const actionsOf: Record<TokenScope, readonly Action[]> = {
  read: ['pull'],
  write: ['pull', 'push'],
  admin: ['pull', 'push', 'delete'],
};
const scopeOf: Record<Role, TokenScope> = {
  viewer: 'read',
  developer: 'write',
  admin: 'admin',
  owner: 'admin',
};

export type Lookup = { identity: Identity } | { refused: string };

/** Turns credentials into identities, as the facts stand now. */
export class Identities {
  readonly #tokens: Tokens;
  readonly #teams: Teams;
  readonly #policies: TrustPolicies;
  readonly #clock: Clock;

  constructor(deps: { tokens: Tokens; teams: Teams; trustPolicies: TrustPolicies; clock: Clock }) {
    this.#tokens = deps.tokens;
    this.#teams = deps.teams;
    this.#policies = deps.trustPolicies;
    this.#clock = deps.clock;
  }

  /** A login with `username` = a team's id and a token as its password. */
  async byTokenSecret(teamId: string, secret: string): Promise<Lookup> {
    const token = await this.#tokens.findByHash(hashSecret(secret));
    if (!token) return { refused: unknownToken(teamId) };
    return this.#byToken(token, teamId);
  }

  /** What a refresh token or a registry token stands for; undefined where it no longer stands. */
  async byCredential(credential: RefreshCredential): Promise<Identity | undefined> {
    if (credential.type === 'token') {
      const token = await this.#tokens.findById(credential.tokenId);
      if (!token) return undefined;
      const lookup = await this.#byToken(token, credential.teamId);
      return 'identity' in lookup ? lookup.identity : undefined;
    }
    const policies = await this.#policies.findByIds(credential.policyIds);
    if (policies.length === 0) return undefined;
    const grants = policies.map(({ teamId, projectIds, actions }) => ({
      teamId,
      projectIds,
      actions,
    }));
    return oidcIdentity(credential, grants);
  }

  async #byToken(token: Token, teamId: string): Promise<Lookup> {
    const now = this.#clock.now();
    // The holder has shown the secret, so the reason may be told.
    if (token.revokedAt !== undefined) {
      return { refused: `The token "${token.name}" was revoked. Make a new one: ${makeToken}` };
    }
    if (token.expiresAt !== undefined && token.expiresAt <= now) {
      return {
        refused: `The token "${token.name}" expired at ${new Date(token.expiresAt).toISOString()}. Make a new one: ${makeToken}`,
      };
    }
    let actions = actionsOf[token.scope];
    if (token.accountId !== undefined) {
      const member = await this.#teams.findMember(teamId, token.accountId);
      if (!member) {
        return {
          refused: `The token "${token.name}" is valid, but its account is not a member of the team ${teamId}. Use the id of a team that the account is in as the username, or ask an admin of that team to add it.`,
        };
      }
      const roleActions = actionsOf[scopeOf[member.role]];
      actions = actions.filter((action) => roleActions.includes(action));
    } else if (token.teamId !== teamId) {
      return {
        refused: `The token "${token.name}" is valid, but it belongs to another team than the username "${teamId}" names. Log in with that token's own team: --username ${token.teamId}`,
      };
    }
    return {
      identity: {
        id: token.id,
        kind: 'token',
        actor: token.name,
        grants: [{ teamId, projectIds: token.projectIds, actions }],
        expiresAt: token.expiresAt,
        credential: { type: 'token', tokenId: token.id, teamId },
      },
    };
  }
}

/** The identity of a JWT that policies matched. */
export function oidcIdentity(
  credential: Extract<RefreshCredential, { type: 'oidc' }>,
  grants: readonly Grant[],
): Identity {
  const who = hashSecret(`${credential.issuer}\n${credential.subject}`).slice(0, 32);
  return {
    id: `oidc_${who}`,
    kind: 'oidc',
    actor: credential.subject,
    grants,
    expiresAt: undefined,
    credential,
  };
}

export function hashSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

const makeToken = 'npx gantry admin token create --team <slug> --scope write';

/** One text for every token that is not known: it says nothing of what exists. */
function unknownToken(teamId: string): string {
  return `The token is not valid for the team "${teamId}". Check that the username is the team's id (team_…) and that the whole token (gnt_…) was pasted; it may have been revoked. Make a new one: ${makeToken}`;
}
