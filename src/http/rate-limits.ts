import { createHash } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { isIPv6 } from 'node:net';
import { parseBasic } from '../auth/authenticator.ts';
import type { Rates } from '../config/config.ts';
import { RegistryError, refuse } from '../oci/errors.ts';
import type { Identity } from '../ports/identity.ts';
import type { RateLimiter, RateLimiters, RateState } from '../ports/rate-limiter.ts';

export type Budget = 'token' | 'apiReads' | 'apiWrites' | 'manifests' | 'blobs';

const windowSeconds = 60;
/** Failures that one address may have over all usernames, as a multiple of those with one. */
const usernames = 10;

interface Limit {
  readonly name: string;
  readonly quota: number;
  readonly limiter: RateLimiter;
}

/**
 * Budgets of requests, by who asks, and of failed logins, by where from. Answers under a budget carry
 * `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-11).
 */
export class RateLimits {
  readonly #budgets: Readonly<Record<Budget, Limit | undefined>>;
  readonly #failures: Limit | undefined;
  readonly #addressFailures: Limit | undefined;

  /** A budget of 0 is none, and costs nothing. */
  constructor(rates: Rates, limiters: RateLimiters) {
    const limit = (name: string, quota: number): Limit | undefined =>
      quota > 0 ? { name, quota, limiter: limiters(quota, windowSeconds) } : undefined;
    this.#budgets = {
      token: limit('token', rates.token),
      apiReads: limit('api-reads', rates.apiReads),
      apiWrites: limit('api-writes', rates.apiWrites),
      manifests: limit('manifests', rates.manifests),
      blobs: limit('blobs', rates.blobs),
    };
    this.#failures = limit('logins', rates.loginFailures);
    this.#addressFailures = limit('logins', rates.loginFailures * usernames);
  }

  /** Asked first, for what is off must not cost a request an await. */
  has(budget: Budget): boolean {
    return this.#budgets[budget] !== undefined;
  }

  get countsLogins(): boolean {
    return this.#failures !== undefined;
  }

  /** Counts a request and says on its answer how its budget stands. Rejects with `too-many-requests`. */
  async take(
    budget: Budget,
    res: ServerResponse,
    identity: Pick<Identity, 'id' | 'kind'> | undefined,
    address: string,
  ): Promise<void> {
    const limit = this.#budgets[budget];
    if (!limit) return;
    const known = identity !== undefined && identity.kind !== 'anonymous';
    const state = await limit.limiter.consume(known ? identity.id : addressKey(address));
    say(res, limit, state);
    if (!state.allowed) throw tooMany(limit, state, 'requests');
  }

  /** Before credentials are looked at. Rejects with `too-many-requests` after too many that were wrong. */
  async mayLogIn(
    res: ServerResponse | undefined,
    address: string,
    username: string,
  ): Promise<void> {
    for (const [limit, key] of this.#loginKeys(address, username)) {
      const state = await limit.limiter.peek(key);
      if (!state || state.remaining > 0) continue;
      if (res) say(res, limit, state);
      throw tooMany(limit, state, 'failed logins');
    }
  }

  /** After credentials were refused. */
  async loginFailed(address: string, username: string): Promise<void> {
    for (const [limit, key] of this.#loginKeys(address, username)) await limit.limiter.consume(key);
  }

  /** `work` looks at credentials: not begun after too many failures, and counted where it refuses them. */
  async loggingIn<T>(
    res: ServerResponse | undefined,
    address: string,
    username: string,
    work: () => T | Promise<T>,
  ): Promise<T> {
    if (!this.#failures) return work();
    await this.mayLogIn(res, address, username);
    try {
      return await work();
    } catch (error) {
      const refused = error instanceof RegistryError && error.kind === 'unauthorized';
      if (refused) await this.loginFailed(address, username);
      throw error;
    }
  }

  #loginKeys(address: string, username: string): (readonly [Limit, string])[] {
    if (!this.#failures || !this.#addressFailures) return [];
    const from = addressKey(address);
    return [
      [this.#failures, `${from} ${username.slice(0, 100)}`],
      [this.#addressFailures, from],
    ];
  }
}

/** Who an Authorization header says it is from, before anybody believes it: a username, or one token. */
export function usernameOf(header: string): string {
  const [scheme = '', value = ''] = header.trim().split(/\s+/, 2);
  if (scheme.toLowerCase() === 'basic') return parseBasic(value)?.username ?? '';
  return `bearer ${createHash('sha256').update(value).digest('base64url')}`;
}

/** One customer has a whole /64 of IPv6 addresses. */
export function addressKey(address: string): string {
  const plain = address.startsWith('::ffff:') ? address.slice(7) : address;
  if (!isIPv6(plain)) return plain;
  const [head = '', tail] = plain.split('%', 1)[0]!.split('::') as [string, string | undefined];
  const groups = head.split(':').filter(Boolean);
  const rest = tail?.split(':').filter(Boolean) ?? [];
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - groups.length - rest.length);
  const all = [...groups, ...Array<string>(zeros).fill('0'), ...rest];
  const network = all.slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16));
  return `${network.join(':')}::/64`;
}

function say(res: ServerResponse, { name, quota }: Limit, state: RateState): void {
  if (res.headersSent) return;
  res.setHeader('RateLimit-Policy', `"${name}";q=${quota};w=${windowSeconds}`);
  res.setHeader('RateLimit', `"${name}";r=${state.remaining};t=${seconds(state)}`);
}

function tooMany({ quota }: Limit, state: RateState, what: string): RegistryError {
  const retryAfter = seconds(state);
  return refuse(
    'too-many-requests',
    `More than ${quota} ${what} came within ${windowSeconds} seconds.`,
    `Wait ${retryAfter} seconds and try again.`,
    { retryAfter },
  );
}

function seconds({ resetMs }: RateState): number {
  return Math.max(1, Math.ceil(resetMs / 1000));
}
