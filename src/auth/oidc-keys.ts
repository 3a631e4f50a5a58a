import { createLocalJWKSet, type JSONWebKeySet, type LocalJWKSet } from 'jose';
import { RegistryError, refuse } from '../oci/errors.ts';
import type { Clock } from '../ports/clock.ts';
import type { OutboundGuard } from './outbound-guard.ts';

export interface OidcLog {
  info(message: string, fields: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields: Readonly<Record<string, unknown>>): void;
}

/** The keys that an issuer published at one time. */
export interface KeySet {
  readonly find: LocalJWKSet;
  readonly keyIds: ReadonlySet<string>;
  /** UTC milliseconds. */
  readonly fetchedAt: number;
}

export interface IssuerKeys {
  /**
   * The issuer's keys: cached, or fetched where they are old. Old ones go on where none can be fetched.
   * @throws RegistryError `unavailable` where there are none at all
   */
  current(issuer: string): Promise<KeySet>;
  /**
   * Newer keys than `known`, for a token signed by a key that is not among them; undefined where the
   * issuer was asked so lately that the key does not exist.
   * @throws RegistryError `unavailable` where the issuer cannot be asked
   */
  newer(issuer: string, known: KeySet): Promise<KeySet | undefined>;
  close(): void;
}

const freshMs = 10 * 60_000;
/** So long may withdrawn keys live on when an issuer is down. */
const usableMs = 24 * 3_600_000;
/** However many unknown keys are asked for, an issuer is asked once in this time. */
const retryMs = 30_000;
/** With no keys at all every login fails, so the next attempt comes sooner. */
const firstRetryMs = 5000;
const fetchTimeoutMs = 5000;
const maxDiscoveryBytes = 64 * 1024;
const maxKeysBytes = 256 * 1024;
const maxKeys = 100;
const maxIssuers = 500;

interface Entry {
  set: KeySet | undefined;
  attemptedAt: number;
  failed: boolean;
  underway: Promise<KeySet> | undefined;
}

/** Discovery (OpenID Connect Discovery 1.0, section 4) and JWKS by issuer, cached, one fetch at a time each. */
export function createIssuerKeys(deps: {
  outbound: OutboundGuard;
  clock: Clock;
  log: OidcLog;
}): IssuerKeys {
  const entries = new Map<string, Entry>();
  const closing = new AbortController();

  const younger = (since: number, limit: number): boolean => {
    const age = deps.clock.now() - since;
    // A clock set back must not stretch a limit.
    return age >= 0 && age < limit;
  };

  const entryOf = (issuer: string): Entry => {
    const entry = entries.get(issuer) ?? {
      set: undefined,
      attemptedAt: Number.NEGATIVE_INFINITY,
      failed: false,
      underway: undefined,
    };
    // Last used last: the one that goes is the one not asked for longest.
    entries.delete(issuer);
    entries.set(issuer, entry);
    if (entries.size > maxIssuers) entries.delete(entries.keys().next().value as string);
    return entry;
  };

  const load = (issuer: string, entry: Entry): Promise<KeySet> => {
    entry.attemptedAt = deps.clock.now();
    entry.underway = fetchKeys(issuer)
      .then(
        (set) => {
          entry.set = set;
          entry.failed = false;
          deps.log.info('The keys of an OIDC issuer were read', { issuer, keys: set.keyIds.size });
          return set;
        },
        (error: unknown) => {
          entry.failed = true;
          const reason = error instanceof Error ? error.message : String(error);
          deps.log.warn('The keys of an OIDC issuer could not be fetched', { issuer, reason });
          throw unavailable(error);
        },
      )
      .finally(() => {
        entry.underway = undefined;
      });
    return entry.underway;
  };

  const fetchKeys = async (issuer: string): Promise<KeySet> => {
    const base = issuer.endsWith('/') ? issuer.slice(0, -1) : issuer;
    const url = `${base}/.well-known/openid-configuration`;
    const discovery = await fetchJson(url, maxDiscoveryBytes);
    if (discovery.issuer !== issuer) {
      throw new Error(`${url} names another issuer: ${String(discovery.issuer).slice(0, 200)}`);
    }
    if (typeof discovery.jwks_uri !== 'string') throw new Error(`${url} names no jwks_uri`);
    const jwks = await fetchJson(discovery.jwks_uri, maxKeysBytes);
    if (!Array.isArray(jwks.keys) || jwks.keys.length > maxKeys) {
      throw new Error(`${discovery.jwks_uri} holds no list of at most ${maxKeys} keys`);
    }
    const keySet = jwks as unknown as JSONWebKeySet;
    return {
      find: createLocalJWKSet(keySet),
      keyIds: new Set(keySet.keys.flatMap((key) => (typeof key.kid === 'string' ? key.kid : []))),
      fetchedAt: deps.clock.now(),
    };
  };

  const fetchJson = async (url: string, maxBytes: number): Promise<Record<string, unknown>> => {
    const limits = { timeoutMs: fetchTimeoutMs, maxBytes, signal: closing.signal };
    const { status, body } = await deps.outbound.fetch(url, limits);
    if (status !== 200) throw new Error(`${url} answered ${status}`);
    const value: unknown = JSON.parse(body.toString());
    if (typeof value !== 'object' || value === null) throw new Error(`${url} holds no JSON object`);
    return value as Record<string, unknown>;
  };

  return {
    async current(issuer) {
      const entry = entryOf(issuer);
      const old = entry.set;
      if (old && younger(old.fetchedAt, freshMs)) return old;
      const usable = old && younger(old.fetchedAt, usableMs) ? old : undefined;
      const waiting = younger(entry.attemptedAt, usable ? retryMs : firstRetryMs);
      if (!entry.underway && waiting && entry.failed) {
        if (usable) return usable;
        throw unavailable();
      }
      try {
        return await (entry.underway ?? load(issuer, entry));
      } catch (error) {
        if (usable) return usable;
        throw error;
      }
    },
    async newer(issuer, known) {
      const entry = entryOf(issuer);
      if (entry.set && entry.set !== known) return entry.set;
      if (entry.underway) return entry.underway;
      if (!younger(entry.attemptedAt, retryMs)) return load(issuer, entry);
      if (entry.failed) throw unavailable();
      return undefined;
    },
    close() {
      closing.abort();
      entries.clear();
    },
  };
}

/** One text for all causes: which issuers are trusted here is not for strangers. The log names the cause. */
function unavailable(cause?: unknown): RegistryError {
  const { info } = refuse(
    'unavailable',
    "The OIDC token could not be checked, because its issuer's keys cannot be read at present; nobody is let in unchecked.",
    "Try again in half a minute. If it lasts, the registry's log names the issuer and the cause.",
  );
  return new RegistryError(info, { cause });
}
