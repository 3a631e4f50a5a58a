import type { Clock } from '../ports/clock.ts';
import type { Grant, Identity } from '../ports/identity.ts';
import type { IssuedToken, IssuedTokens } from '../ports/issued-tokens.ts';
import type { Projects } from '../ports/projects.ts';
import type { Role, Teams } from '../ports/teams.ts';
import type { OwnGrant, RefreshCredential, Token, TokenScope, Tokens } from '../ports/tokens.ts';
import { type Action, allActions, type TrustPolicies } from '../ports/trust-policies.ts';
import {
  grantOf,
  hashSecret,
  oidcIdentity,
  pullIdentity,
  roleIdentity,
} from './credential-identities.ts';

/** What a token of that scope may do. */
export const actionsOf: Record<TokenScope, readonly Action[]> = {
  read: ['pull'],
  create: ['pull', 'create'],
  write: ['pull', 'create', 'push', 'deploy', 'functions'],
  admin: allActions,
};
/** What a person of that role may do, as the scope that allows the same. */
export const scopeOf: Record<Role, TokenScope> = {
  viewer: 'read',
  developer: 'write',
  admin: 'admin',
  owner: 'admin',
};

export { hashSecret } from './credential-identities.ts';

export type Lookup = { identity: Identity } | { refused: string };

export interface IdentitiesDeps {
  readonly tokens: Tokens;
  readonly issuedTokens: IssuedTokens;
  readonly teams: Teams;
  readonly trustPolicies: TrustPolicies;
  readonly projects: Pick<Projects, 'findByIds'>;
  readonly clock: Clock;
}

/** Turns credentials into identities, as the facts stand now. */
export class Identities {
  readonly #tokens: Tokens;
  readonly #issued: IssuedTokens;
  readonly #teams: Teams;
  readonly #policies: TrustPolicies;
  readonly #projects: Pick<Projects, 'findByIds'>;
  readonly #clock: Clock;

  constructor(deps: IdentitiesDeps) {
    this.#tokens = deps.tokens;
    this.#issued = deps.issuedTokens;
    this.#teams = deps.teams;
    this.#policies = deps.trustPolicies;
    this.#projects = deps.projects;
    this.#clock = deps.clock;
  }

  /** A login with `username` = a team's id and a token as its password. */
  async byTokenSecret(teamId: string, secret: string): Promise<Lookup> {
    const hash = hashSecret(secret);
    const token = await this.#tokens.findByHash(hash);
    if (token) return this.#byToken(token, teamId);
    const issued = await this.#issued.findByHash(hash);
    if (!issued) return { refused: unknownToken(teamId) };
    const lookup = await this.#byIssued(issued);
    if ('refused' in lookup || issued.teamId === teamId) return lookup;
    return {
      refused: `The token is valid, but it is for another team than the username "${teamId}" names. Log in with --username ${issued.teamId}`,
    };
  }

  /** A token alone, as the API takes it: an account's opens every team that the account is in. */
  async bySecret(secret: string): Promise<Lookup> {
    const hash = hashSecret(secret);
    const token = await this.#tokens.findByHash(hash);
    if (token) {
      return token.accountId === undefined
        ? this.#byToken(token, token.teamId!)
        : this.#byAccountToken(token, token.accountId);
    }
    const issued = await this.#issued.findByHash(hash);
    return issued ? this.#byIssued(issued) : { refused: 'The token is not valid.' };
  }

  /** A person that signed in: all that the memberships give. Undefined: there is no such account. */
  async byAccount(accountId: string): Promise<Identity | undefined> {
    const account = await this.#teams.findAccount(accountId);
    if (!account || account.id !== accountId) return undefined;
    return {
      id: account.id,
      kind: 'session',
      actor: account.name,
      accountId: account.id,
      ...(account.operator && { operator: true }),
      grants: await this.#memberGrants(account.id, allActions, undefined),
      expiresAt: undefined,
      credential: undefined,
    };
  }

  /** The token of that id, as `bySecret` has it; undefined where it no longer stands. */
  async byTokenId(id: string): Promise<Identity | undefined> {
    const token = await this.#tokens.findById(id);
    if (!token) return undefined;
    const lookup =
      token.accountId === undefined
        ? await this.#byToken(token, token.teamId!)
        : await this.#byAccountToken(token, token.accountId);
    return 'identity' in lookup ? lookup.identity : undefined;
  }

  /** What a refresh token or a registry token stands for; undefined where it no longer stands. */
  async byCredential(credential: RefreshCredential): Promise<Identity | undefined> {
    if (credential.type === 'token') {
      const token = await this.#tokens.findById(credential.tokenId);
      if (!token) return undefined;
      const lookup = await this.#byToken(token, credential.teamId);
      return 'identity' in lookup ? lookup.identity : undefined;
    }
    if (credential.type === 'issued') {
      const issued = await this.#issued.findById(credential.issuedId);
      const lookup = issued && (await this.#byIssued(issued));
      return lookup && 'identity' in lookup ? lookup.identity : undefined;
    }
    if (credential.type === 'pull') {
      return credential.expiresAt > this.#clock.now() ? pullIdentity(credential) : undefined;
    }
    if (credential.type === 'role') {
      if (credential.expiresAt <= this.#clock.now()) return undefined;
      return (await this.#stands(credential)) ? roleIdentity(credential) : undefined;
    }
    const grants = await this.#policyGrants(credential.policyIds);
    const { own } = credential;
    if (own && (await this.#stands(own))) grants.push(grantOf(own));
    return grants.length > 0 ? oidcIdentity(credential, grants) : undefined;
  }

  /** Whether the project is there, and the team's. */
  async #stands({ teamId, projectId }: OwnGrant): Promise<boolean> {
    const [project] = await this.#projects.findByIds([projectId]);
    return project?.teamId === teamId;
  }

  async #policyGrants(policyIds: readonly string[]): Promise<Grant[]> {
    const policies = await this.#policies.findByIds(policyIds);
    return policies.map(({ teamId, projectIds, actions }) => ({ teamId, projectIds, actions }));
  }

  async #memberGrants(
    accountId: string,
    actions: readonly Action[],
    projectIds: readonly string[] | undefined,
  ): Promise<Grant[]> {
    const members = await this.#teams.listMemberships(accountId);
    return members.map(({ teamId, role }) => {
      const allowed = actionsOf[scopeOf[role]];
      return { teamId, projectIds, actions: actions.filter((a) => allowed.includes(a)) };
    });
  }

  async #byIssued(issued: IssuedToken): Promise<Lookup> {
    if (issued.revokedAt !== undefined) return { refused: 'The token was revoked.' };
    if (issued.expiresAt <= this.#clock.now()) {
      return {
        refused: `The token expired at ${new Date(issued.expiresAt).toISOString()}. Exchange a new JWT for one.`,
      };
    }
    const grants = (await this.#policyGrants(issued.credential.policyIds))
      .filter((grant) => grant.teamId === issued.teamId)
      .map((grant) => narrowed(grant, issued));
    if (grants.length === 0) {
      return { refused: 'The trust policy that the token was issued by is gone.' };
    }
    return {
      identity: {
        id: issued.id,
        kind: 'token',
        actor: issued.name,
        grants,
        expiresAt: issued.expiresAt,
        credential: { type: 'issued', issuedId: issued.id },
      },
    };
  }

  async #byAccountToken(token: Token, accountId: string): Promise<Lookup> {
    const refused = this.#whyNot(token);
    if (refused !== undefined) return { refused };
    const account = await this.#teams.findAccount(accountId);
    const actions = actionsOf[token.scope];
    return {
      identity: {
        id: token.id,
        kind: 'token',
        actor: token.name,
        accountId,
        ...(account?.operator && isUnlimited(token) && { operator: true }),
        grants: await this.#memberGrants(accountId, actions, token.projectIds),
        expiresAt: token.expiresAt,
        credential: undefined,
      },
    };
  }

  /** The holder has shown the secret, so the reason may be told. */
  #whyNot(token: Token): string | undefined {
    if (token.revokedAt !== undefined) {
      return `The token "${token.name}" was revoked. Make a new one: ${makeToken}`;
    }
    if (token.expiresAt !== undefined && token.expiresAt <= this.#clock.now()) {
      return `The token "${token.name}" expired at ${new Date(token.expiresAt).toISOString()}. Make a new one: ${makeToken}`;
    }
    return undefined;
  }

  async #byToken(token: Token, teamId: string): Promise<Lookup> {
    const refused = this.#whyNot(token);
    if (refused !== undefined) return { refused };
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
        ...(token.accountId !== undefined && { accountId: token.accountId }),
        grants: [{ teamId, projectIds: token.projectIds, actions }],
        expiresAt: token.expiresAt,
        credential: { type: 'token', tokenId: token.id, teamId },
      },
    };
  }
}

/** Whether a person's token stands for all that the person may do. */
export function isUnlimited({ scope, projectIds }: Pick<Token, 'scope' | 'projectIds'>): boolean {
  return scope === 'admin' && projectIds === undefined;
}

/** A policy's grant, no wider than what the token asked for. */
function narrowed(grant: Grant, { projectIds, actions }: IssuedToken): Grant {
  const projects =
    projectIds === undefined
      ? grant.projectIds
      : projectIds.filter((id) => grant.projectIds?.includes(id) ?? true);
  return {
    teamId: grant.teamId,
    projectIds: projects,
    actions: actions === undefined ? grant.actions : actionsWithin(grant.actions, actions),
  };
}

/** Those of `wanted` that `granted` holds: who may push may create, though the policy does not say it. */
export function actionsWithin(granted: readonly Action[], wanted: readonly Action[]): Action[] {
  return wanted.filter(
    (action) => granted.includes(action) || (action === 'create' && granted.includes('push')),
  );
}

const makeToken = 'npx gantry admin token create --team <slug> --scope write';

/** One text for every token that is not known: it says nothing of what exists. */
function unknownToken(teamId: string): string {
  return `The token is not valid for the team "${teamId}". Check that the username is the team's id (team_…) and that the whole token (gnt_…) was pasted; it may have been revoked. Make a new one: ${makeToken}`;
}
