import { randomBytes } from 'node:crypto';
import { parseRepositoryPath } from '../oci/reference.ts';
import type { Clock } from '../ports/clock.ts';
import type { CommandWriter } from '../ports/commands.ts';
import type { Identity } from '../ports/identity.ts';
import type { Projects } from '../ports/projects.ts';
import type { Repositories, Repository } from '../ports/repositories.ts';
import type { RefreshCredential, Tokens } from '../ports/tokens.ts';
import type { Action } from '../ports/trust-policies.ts';
import { mayAct, type Place, pullScope } from './authorizer.ts';
import { hashSecret, type Identities } from './identities.ts';
import type { Access, RegistryTokens } from './registry-tokens.ts';

const repositoryActions: readonly Action[] = ['pull', 'push', 'delete'];
const day = 86_400_000;

/** How long a refresh token stands, by what it stands for: a CI job's JWT is for that job. */
const refreshLifetime = { token: 90 * day, oidc: day / 2, issued: day / 2 } as const;
type Refreshable = keyof typeof refreshLifetime;

/** More scopes than any client asks for at once. */
const mostScopes = 64;

export interface IssuedToken {
  readonly token: string;
  /** Seconds. */
  readonly expiresIn: number;
  /** UTC seconds. */
  readonly issuedAt: number;
  readonly access: readonly Access[];
}

/** Grants what may be granted of the scopes that a client asks for, and no error for the rest. */
export class TokenService {
  readonly #registryTokens: RegistryTokens;
  readonly #identities: Identities;
  readonly #repositories: Repositories;
  readonly #projects: Projects;
  readonly #tokens: Tokens;
  readonly #writer: CommandWriter;
  readonly #clock: Clock;

  constructor(deps: {
    registryTokens: RegistryTokens;
    identities: Identities;
    repositories: Repositories;
    projects: Projects;
    tokens: Tokens;
    writer: CommandWriter;
    clock: Clock;
  }) {
    this.#registryTokens = deps.registryTokens;
    this.#identities = deps.identities;
    this.#repositories = deps.repositories;
    this.#projects = deps.projects;
    this.#tokens = deps.tokens;
    this.#writer = deps.writer;
    this.#clock = deps.clock;
  }

  async issue(identity: Identity, scopes: readonly string[]): Promise<IssuedToken> {
    const access: Access[] = [];
    for (const scope of scopes.slice(0, mostScopes)) {
      const granted = await this.#grant(identity, scope);
      if (granted) access.push(granted);
    }
    return { ...(await this.#registryTokens.sign(identity.credential, access)), access };
  }

  /** A token that stands for this login later; undefined for anonymous callers. */
  async issueRefresh(identity: Identity): Promise<string | undefined> {
    const { credential } = identity;
    if (!credential || !outlives(credential)) return undefined;
    const secret = `gntr_${randomBytes(32).toString('base64url')}`;
    const now = this.#clock.now();
    const lifetime = refreshLifetime[credential.type as Refreshable];
    await this.#writer.run('CreateRefreshToken', {
      id: `rft_${randomBytes(16).toString('hex')}`,
      hash: hashSecret(secret),
      credential,
      // An OIDC login's JWT runs out in minutes; the job that it was made for may not.
      expiresAt: now + lifetime,
      now,
    });
    return secret;
  }

  /** Who a refresh token stands for; undefined where it, or that, no longer stands. */
  async byRefresh(secret: string): Promise<Identity | undefined> {
    const row = await this.#tokens.findRefresh(hashSecret(secret));
    if (!row || row.expiresAt <= this.#clock.now()) return undefined;
    return this.#identities.byCredential(row.credential);
  }

  async #grant(identity: Identity, scope: string): Promise<Access | undefined> {
    const parsed = parseScope(scope);
    if (!parsed) return undefined;
    if (parsed.type === 'registry') {
      return identity.grants.length > 0 && parsed.name === 'catalog'
        ? { type: 'registry', name: 'catalog', actions: ['*'] }
        : undefined;
    }
    const place = await this.#place(parsed.name);
    if (!place) return undefined;
    const pull = pullScope(identity);
    if (pull) {
      const own = 'id' in place && place.id === pull.repositoryId;
      return own && parsed.actions.includes('pull')
        ? { type: 'repository', name: parsed.name, actions: ['pull'] }
        : undefined;
    }
    const wanted = parsed.actions.includes('*') ? repositoryActions : parsed.actions;
    const actions = repositoryActions.filter(
      // On the wire, who may create asks to push; what it may overwrite is asked at each push.
      (action) =>
        wanted.includes(action) && mayAct(identity, place, action === 'push' ? 'create' : action),
    );
    return actions.length > 0 ? { type: 'repository', name: parsed.name, actions } : undefined;
  }

  async #place(name: string): Promise<Repository | Place | undefined> {
    const path = parseRepositoryPath(name);
    if (!path) return undefined;
    const repository = await this.#repositories.find(path);
    if (repository) return repository;
    const project = await this.#projects.findBySlugs(path.team, path.project);
    return project && { teamId: project.teamId, projectId: project.id, visibility: 'private' };
  }
}

/** What stands for an instance or a pull is minted anew instead: it must not last for days. */
function outlives(credential: RefreshCredential): boolean {
  if (credential.type === 'oidc') return credential.own === undefined;
  return credential.type !== 'pull' && credential.type !== 'role';
}

/** `repository:<name>:<actions>` or `registry:catalog:*`; `repository(class):…` as some clients write it. */
export function parseScope(
  scope: string,
): { type: 'repository' | 'registry'; name: string; actions: string[] } | undefined {
  const match =
    /^(repository|registry)(?:\([a-z0-9]+\))?:([^:\s]{1,255}(?::\d+)?):([a-z*,]{1,64})$/.exec(
      scope,
    );
  if (!match) return undefined;
  return {
    type: match[1] as 'repository' | 'registry',
    name: match[2]!,
    actions: match[3]!.split(','),
  };
}
