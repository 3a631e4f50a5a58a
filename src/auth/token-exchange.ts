import { parseRepositoryPath } from '../oci/reference.ts';
import type { Clock } from '../ports/clock.ts';
import type { CommandWriter } from '../ports/commands.ts';
import type { IssuedToken } from '../ports/issued-tokens.ts';
import type { Projects } from '../ports/projects.ts';
import type { Teams } from '../ports/teams.ts';
import { type Action, allActions, type TrustPolicy } from '../ports/trust-policies.ts';
import { actionsWithin } from './identities.ts';
import type { OidcVerifier } from './oidc-verifier.ts';
import { parseScope } from './token-service.ts';

/** Error codes of RFC 6749, section 5.2, and RFC 8693, section 2.2.2. */
export type ExchangeError = 'invalid_request' | 'invalid_scope' | 'invalid_target';

export interface ExchangeRequest {
  readonly subjectToken: string;
  /** Actions, or docker's `repository:team/project/repository:pull,push`; undefined: all that the policies give. */
  readonly scope: string | undefined;
  /** Slug or id, where policies of several teams match. */
  readonly team: string | undefined;
  /** What the token is to be used at (`resource` and `audience` of the request); each must be this instance. */
  readonly targets: readonly string[];
  /** The URL by which the client reached this instance. */
  readonly origin: string;
}

export interface Exchanged {
  readonly ok: true;
  /** Shown once. */
  readonly secret: string;
  readonly token: Omit<IssuedToken, 'revokedAt'>;
  /** What it may do, in the words of the request. */
  readonly scope: string;
}

export interface ExchangeDenial {
  readonly ok: false;
  readonly error: ExchangeError;
  readonly description: string;
}

export interface TokenExchangeDeps {
  readonly oidc: OidcVerifier;
  readonly teams: Teams;
  readonly projects: Projects;
  readonly writer: CommandWriter;
  readonly clock: Clock;
  readonly ttlMs: () => number;
  /** Names of this instance beside the URL that the client used: its public URL, its audience. */
  readonly names: () => readonly string[];
  readonly newId: () => string;
  readonly newToken: () => { secret: string; hash: string };
}

/** What a scope asks for. */
interface Wanted {
  readonly actions: readonly Action[] | undefined;
  /** `team/project` */
  readonly projects: readonly string[] | undefined;
}

interface Narrowed {
  readonly actions: readonly Action[];
  readonly projectIds: readonly string[] | undefined;
  /** In the words of the request. */
  readonly scope: string;
}

const wireActions: readonly Action[] = ['pull', 'create', 'push', 'delete'];
const mostScopes = 64;

/** OAuth 2.0 Token Exchange (RFC 8693): a JWT that a trust policy accepts becomes a short-lived token. */
export class TokenExchange {
  readonly #deps: TokenExchangeDeps;

  constructor(deps: TokenExchangeDeps) {
    this.#deps = deps;
  }

  /** Rejects with `unavailable` where the issuer's keys cannot be had: nobody is let in unchecked. */
  async exchange(request: ExchangeRequest): Promise<Exchanged | ExchangeDenial> {
    const { oidc, teams } = this.#deps;
    const stranger = this.#strangeTarget(request);
    if (stranger) return deny('invalid_target', stranger);
    const wanted = parseWanted(request.scope);
    if (typeof wanted === 'string') return deny('invalid_scope', wanted);
    const named = request.team ?? teamOf(wanted.projects);
    // A slug that no team has is asked for as it is: the answer is that of a team that trusts nobody.
    const teamId = named && ((await teams.findBySlug(named))?.id ?? named);
    const result = await oidc.verify(request.subjectToken, { teamId });
    if (!result.ok) {
      const hint = result.reason === 'team-unnamed' ? ' Here: add the parameter team=<slug>.' : '';
      return deny('invalid_request', `${result.message}${hint}`);
    }
    if (result.policies.length === 0) {
      return deny(
        'invalid_request',
        "The token is this registry's own: log in with it as it is (docker login --username oidc). To exchange it, a trust policy has to accept it.",
      );
    }
    const teamIds = new Set(result.policies.map((policy) => policy.teamId));
    if (teamIds.size > 1) {
      return deny(
        'invalid_request',
        `Trust policies of ${teamIds.size} teams accept the token: say which is meant with the parameter team=<slug>.`,
      );
    }
    const narrowed = await this.#narrow(result.policies, wanted);
    if (typeof narrowed === 'string') return deny('invalid_scope', narrowed);
    return this.#issue(result.policies, narrowed, wanted, result.issuer, result.subject);
  }

  async #issue(
    policies: readonly TrustPolicy[],
    narrowed: Narrowed,
    wanted: Wanted,
    issuer: string,
    subject: string,
  ): Promise<Exchanged> {
    const { writer, clock, newId, newToken, ttlMs } = this.#deps;
    const { secret, hash } = newToken();
    const createdAt = clock.now();
    const token = {
      id: newId(),
      teamId: policies[0]!.teamId,
      name: oneLine(subject),
      credential: {
        type: 'oidc' as const,
        policyIds: policies.map((policy) => policy.id),
        issuer,
        subject,
      },
      projectIds: wanted.projects && narrowed.projectIds,
      actions: wanted.actions && narrowed.actions,
      createdAt,
      expiresAt: createdAt + ttlMs(),
    };
    await writer.run('CreateIssuedToken', { token, hash });
    return { ok: true, secret, token, scope: narrowed.scope };
  }

  /** What the policies give of what is wanted; a text where that is nothing. */
  async #narrow(
    policies: readonly TrustPolicy[],
    { actions, projects }: Wanted,
  ): Promise<Narrowed | string> {
    const found = projects && (await this.#projects(projects, policies[0]!.teamId));
    const given = (covering: readonly TrustPolicy[]): Action[] => {
      const all = new Set(covering.flatMap((p) => actionsWithin(p.actions, actions ?? p.actions)));
      return allActions.filter((action) => all.has(action));
    };
    // A token is narrowed to projects, so that is what is said, whichever repository was asked for.
    const places = found?.map(({ id, path }) => {
      const covering = policies.filter(({ projectIds }) => projectIds?.includes(id) ?? true);
      return { id, path, actions: given(covering) };
    });
    const open = places?.filter((place) => place.actions.length > 0);
    const total = open
      ? allActions.filter((action) => open.some((place) => place.actions.includes(action)))
      : given(policies);
    if (total.length > 0) {
      return {
        actions: total,
        projectIds: open?.map(({ id }) => id),
        scope: open
          ? open.map((p) => `repository:${p.path}/*:${p.actions.join(',')}`).join(' ')
          : total.join(' '),
      };
    }
    const names = policies.map(({ name }) => `"${name}"`).join(', ');
    const has = [...new Set(policies.flatMap((policy) => policy.actions))].join(', ');
    return `The token is accepted by trust policy ${names}, which gives ${has}, and nothing of what was asked for there. Ask for less, or have an admin of the team make a policy that gives it.`;
  }

  /** Those that are the team's. */
  async #projects(paths: readonly string[], teamId: string) {
    const found: { id: string; path: string }[] = [];
    for (const path of paths) {
      const [team = '', slug = ''] = path.split('/');
      const project = await this.#deps.projects.findBySlugs(team, slug);
      if (project?.teamId === teamId) found.push({ id: project.id, path });
    }
    return found;
  }

  #strangeTarget({ targets, origin }: ExchangeRequest): string | undefined {
    const own = new Set([origin, ...this.#deps.names()].flatMap(spellings));
    const strange = targets.find((target) => !own.has(target.replace(/\/+$/, '')));
    if (strange === undefined) return undefined;
    return `Tokens of this registry are good for itself alone (${origin}): leave "audience" and "resource" out, or name it.`;
  }
}

/** With and without the scheme: docker knows a registry by host and port. */
function spellings(name: string): string[] {
  const plain = name.replace(/\/+$/, '');
  const url = URL.parse(plain);
  return url?.host ? [plain, url.host] : [plain];
}

/** A text where it cannot be read. */
function parseWanted(scope: string | undefined): Wanted | string {
  const words = (scope ?? '').split(' ').filter(Boolean);
  if (words.length === 0) return { actions: undefined, projects: undefined };
  if (words.length > mostScopes) return `At most ${mostScopes} scopes can be asked for at once.`;
  if (words.every(isAction)) return { actions: [...new Set(words)], projects: undefined };
  const projects = new Set<string>();
  let actions: string | undefined;
  for (const word of words) {
    const parsed = parseScope(word);
    const path = parsed?.type === 'repository' ? parseRepositoryPath(parsed.name) : undefined;
    const asked = parsed?.actions.includes('*') ? wireActions : parsed?.actions;
    if (!path || !asked?.every(isAction)) {
      return `The scope must be some of ${allActions.join(', ')} with spaces between, or repository:team/project/repository:pull,push as docker writes it.`;
    }
    const key = allActions.filter((action) => asked.includes(action)).join(',');
    if (actions !== undefined && actions !== key) {
      return 'All repositories of one token have the same actions: ask for two tokens, or for the same actions.';
    }
    actions = key;
    projects.add(`${path.team}/${path.project}`);
  }
  return { actions: (actions ?? '').split(',') as Action[], projects: [...projects] };
}

function isAction(word: string): word is Action {
  return (allActions as readonly string[]).includes(word);
}

/** The team of all projects, where it is one. */
function teamOf(projects: readonly string[] | undefined): string | undefined {
  const teams = new Set(projects?.map((path) => path.split('/')[0]!));
  return teams.size === 1 ? [...teams][0] : undefined;
}

function oneLine(text: string): string {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, ' ').slice(0, 255);
}

function deny(error: ExchangeError, description: string): ExchangeDenial {
  return { ok: false, error, description };
}
