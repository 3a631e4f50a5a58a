import { LRUCache } from 'lru-cache';
import type { Awaitable } from '../ports/awaitable.ts';
import type { Clock } from '../ports/clock.ts';
import type { Identity } from '../ports/identity.ts';
import type { RefreshCredential, Tokens } from '../ports/tokens.ts';
import { anonymous } from './authorizer.ts';
import type { Identities } from './identities.ts';
import type { LoginResult } from './login.ts';
import type { Access, RegistryTokens } from './registry-tokens.ts';

/** Who sent a request, and what its token narrows that to. */
export interface Session {
  readonly identity: Identity;
  /** Undefined: credentials came with the request itself, and nothing is narrowed. */
  readonly access: readonly Access[] | undefined;
  /** The token has run out: good only for going on with an upload that its identity began. */
  readonly expired: boolean;
}

export type Authentication = Session | { readonly failure: string };

interface Cached {
  readonly session: Session;
  readonly epoch: number;
  readonly expiresAt: number;
}

/** How old the epoch that a request is judged by may be. Revocation works within this time. */
const epochMaxAge = 500;

/** How long Basic credentials are good without being looked at, so that their last use is noted. */
const basicMaxAge = 60_000;

/** Headers of the cache all together: one may have 64 KiB, most have a few hundred bytes. */
const cacheBytes = 32 * 2 ** 20;

const anonymousSession: Session = { identity: anonymous, access: undefined, expired: false };

/**
 * Reads `Authorization`. What is cached is the costly part, the check of a signature; whether what it
 * stands for still stands is asked again with every new epoch.
 */
export class Authenticator {
  readonly #cache = new LRUCache<string, Cached>({
    // No greatest count beside it (`max`), which would take room for all of them at once.
    maxSize: cacheBytes,
    // The session's access is about as long as the token that says it.
    sizeCalculation: (_session, header) => 2 * header.length + 512,
  });
  readonly #registryTokens: RegistryTokens;
  readonly #identities: Identities;
  readonly #login: (username: string, password: string) => Promise<LoginResult>;
  readonly #tokens: Tokens;
  readonly #clock: Clock;
  #epoch = 0;
  #epochReadAt = Number.NEGATIVE_INFINITY;

  constructor(deps: {
    registryTokens: RegistryTokens;
    identities: Identities;
    login: (username: string, password: string) => Promise<LoginResult>;
    tokens: Tokens;
    clock: Clock;
  }) {
    this.#registryTokens = deps.registryTokens;
    this.#identities = deps.identities;
    this.#login = deps.login;
    this.#tokens = deps.tokens;
    this.#clock = deps.clock;
  }

  /** At once for a header seen lately. Rejects (closed) where the facts cannot be asked. */
  authenticate(header: string | undefined): Awaitable<Authentication> {
    if (header === undefined) return anonymousSession;
    const now = this.#clock.now();
    const known = this.#isFresh(now) ? this.#known(header, now) : undefined;
    return known ?? this.#authenticate(header, now);
  }

  /** What was found out about a header under the epoch that holds. */
  #known(header: string, now: number): Session | undefined {
    const cached = this.#cache.get(header);
    return cached?.epoch === this.#epoch && cached.expiresAt > now ? cached.session : undefined;
  }

  /** Whether the epoch is young enough; a clock that was set back says nothing of its age. */
  #isFresh(now: number): boolean {
    return now >= this.#epochReadAt && now - this.#epochReadAt < epochMaxAge;
  }

  async #authenticate(header: string, now: number): Promise<Authentication> {
    if (!this.#isFresh(now)) {
      this.#epoch = await this.#tokens.epoch();
      this.#epochReadAt = now;
    }
    const known = this.#known(header, now);
    if (known) return known;
    const epoch = this.#epoch;
    const space = header.indexOf(' ');
    const scheme = header.slice(0, space).toLowerCase();
    const value = header.slice(space + 1).trim();
    if (scheme === 'bearer') return this.#bearer(header, value, epoch, now);
    if (scheme === 'basic') return this.#basic(header, value, epoch, now);
    return { failure: 'The Authorization header must be Basic or Bearer.' };
  }

  async #bearer(
    header: string,
    token: string,
    epoch: number,
    now: number,
  ): Promise<Authentication> {
    const claims = await this.#registryTokens.verify(token);
    if (!claims) return { failure: 'The registry token is not valid. Log in again.' };
    const identity = await this.#identify(claims.credential);
    if (!identity)
      return { failure: 'What this registry token stands for was revoked or expired.' };
    const expired = claims.expiresAt <= now;
    const session: Session = { identity, access: claims.access, expired };
    if (!expired) {
      const expiresAt = Math.min(claims.expiresAt, identity.expiresAt ?? Number.POSITIVE_INFINITY);
      this.#cache.set(header, { session, epoch, expiresAt });
    }
    return session;
  }

  async #basic(header: string, value: string, epoch: number, now: number): Promise<Authentication> {
    const credentials = parseBasic(value);
    if (!credentials) return { failure: 'The Basic credentials are malformed.' };
    const login = await this.#login(credentials.username, credentials.password);
    if ('refused' in login) return { failure: login.refused };
    const session: Session = { identity: login.identity, access: undefined, expired: false };
    const expiresAt = Math.min(
      login.identity.expiresAt ?? Number.POSITIVE_INFINITY,
      now + basicMaxAge,
    );
    this.#cache.set(header, { session, epoch, expiresAt });
    return session;
  }

  async #identify(credential: RefreshCredential | undefined): Promise<Identity | undefined> {
    return credential === undefined ? anonymous : this.#identities.byCredential(credential);
  }
}

/** `user:password` of a Basic header's value; the password may hold colons. */
export function parseBasic(value: string): { username: string; password: string } | undefined {
  if (!/^[A-Za-z0-9+/_-]+={0,2}$/.test(value)) return undefined;
  const text = Buffer.from(value, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (colon < 0) return undefined;
  return { username: text.slice(0, colon), password: text.slice(colon + 1) };
}
