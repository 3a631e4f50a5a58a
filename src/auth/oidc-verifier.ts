import { compactVerify } from 'jose';
import { RegistryError } from '../oci/errors.ts';
import type { Clock } from '../ports/clock.ts';
import type { OwnGrant } from '../ports/tokens.ts';
import type { Action, TrustPolicies, TrustPolicy } from '../ports/trust-policies.ts';
import {
  denyExpired,
  denyGenerally,
  denyMismatch,
  denySubject,
  denyTime,
  denyUnnamed,
  type OidcDenial,
  time,
} from './oidc-explain.ts';
import { createIssuerKeys, type IssuerKeys, type KeySet, type OidcLog } from './oidc-keys.ts';
import { matchPolicies, soleAudience } from './oidc-match.ts';
import { parseJwt, type UnverifiedJwt } from './oidc-parse.ts';
import type { OutboundGuard } from './outbound-guard.ts';

export { generalDenial, nameTeamHint } from './oidc-explain.ts';

export interface OidcAcceptance {
  readonly ok: true;
  readonly issuer: string;
  readonly subject: string;
  /** All whose audience and claims the token matches, at least one, or else `own` is there; of one team where one was named. */
  readonly policies: TrustPolicy[];
  /** Of a token that this installation signed for an environment: what it may do without a policy. */
  readonly own?: OwnGrant | undefined;
  /** From when on the token is not accepted any more, UTC milliseconds: its `exp` and the clock skew. */
  readonly expiresAt: number;
}

export type OidcResult = OidcAcceptance | OidcDenial;

export interface OidcVerifier {
  /**
   * Judges a JWT by the trust policies of its issuer. A denial is for a 401.
   * @param options.teamId the team's id where the username named it; its policies alone count then
   * @param options.now UTC milliseconds, the clock's unless given
   * @throws RegistryError `unavailable` (503) where the issuer's keys cannot be had
   */
  verify(
    jwt: string,
    options?: { readonly teamId?: string | undefined; readonly now?: number | undefined },
  ): Promise<OidcResult>;
  /**
   * What is to be said of a JWT whether it is accepted or not; undefined where it is none. Its issuer is
   * asked for keys only where `trusts` says so: else anybody could have any address called (A20).
   */
  examine(jwt: string, trusts: (issuer: string) => boolean): Promise<Examination | undefined>;
  /** Why claims are not good at this time; undefined where they are. */
  problemOfTime(claims: Readonly<Record<string, unknown>>): string | undefined;
  /** Ends requests under way and forgets all keys. */
  close(): void;
}

export interface Examination {
  readonly issuer: string;
  readonly claims: Readonly<Record<string, unknown>>;
  /** `not-checked`: nobody trusts the issuer; `unavailable`: its keys cannot be had. */
  readonly signature: 'valid' | 'invalid' | 'not-checked' | 'unavailable';
}

export interface OidcVerifierDeps {
  readonly trustPolicies: Pick<TrustPolicies, 'findByIssuer'>;
  /** What a token's `aud` must be where the policy says nothing else. */
  readonly audience: () => string;
  readonly clock: Clock;
  /** This installation as an issuer: its keys are at hand, and nothing is asked over the network. */
  readonly own?: { readonly url: string; keySet(): Promise<KeySet> } | undefined;
  readonly outbound: OutboundGuard;
  readonly log: OidcLog;
}

/** How far clocks may differ, both ways. */
const skewMs = 60_000;
/** The largest time that a Date holds, in seconds. */
const maxSeconds = 8.64e12;

export function createOidcVerifier(deps: OidcVerifierDeps): OidcVerifier {
  const issuerKeys = withOwn(createIssuerKeys(deps), deps.own);

  const judge = async (
    jwt: string,
    teamId: string | undefined,
    now: () => number,
  ): Promise<OidcResult> => {
    const token = parseJwt(jwt);
    if (!token) return denyGenerally();
    const { issuer, claims } = token;
    const found = await deps.trustPolicies.findByIssuer(issuer);
    // The store's comparison may be kinder than `===`; a look-alike must not cause a request (A20).
    const trusting = found.filter((policy) => policy.issuer === issuer);
    const isOwn = deps.own !== undefined && issuer === deps.own.url;
    if (trusting.length === 0 && !isOwn) return denyGenerally();
    if (!(await isSigned(jwt, token, issuerKeys))) return denyGenerally();

    const candidates = teamId ? trusting.filter((p) => p.teamId === teamId) : trusting;
    const own = isOwn ? ownGrant(claims, deps.audience(), teamId) : undefined;
    if (candidates.length === 0 && !own) return denyGenerally();
    const denial = denyByTime(issuer, claims, now());
    if (denial) return denial;
    const { sub } = claims;
    if (typeof sub !== 'string' || sub === '') return denySubject();
    const { matched, mismatches } = matchPolicies(candidates, claims, deps.audience());
    if (matched.length > 0 || own) {
      const expiresAt = (claims.exp as number) * 1000 + skewMs;
      return { ok: true, issuer, subject: sub, policies: matched, expiresAt, ...(own && { own }) };
    }
    const oneTeam = new Set(candidates.map((policy) => policy.teamId)).size === 1;
    return oneTeam ? denyMismatch(mismatches, issuer, claims) : denyUnnamed();
  };

  return {
    async verify(jwt, { teamId, now } = {}) {
      return judge(jwt, teamId, () => now ?? deps.clock.now());
    },
    async examine(jwt, trusts) {
      const token = parseJwt(jwt);
      if (!token) return undefined;
      const { issuer, claims } = token;
      if (!trusts(issuer)) return { issuer, claims, signature: 'not-checked' };
      try {
        const signed = await isSigned(jwt, token, issuerKeys);
        return { issuer, claims, signature: signed ? 'valid' : 'invalid' };
      } catch (error) {
        if (!(error instanceof RegistryError) || error.kind !== 'unavailable') throw error;
        return { issuer, claims, signature: 'unavailable' };
      }
    },
    problemOfTime: (claims) =>
      denyByTime(String(claims.iss), claims, deps.clock.now())?.message.replace(
        'The token is genuine, but its',
        'Its',
      ),
    close: () => issuerKeys.close(),
  };
}

/**
 * What an environment's token gives in its own project: the actions of the service's role, else pulling.
 * Undefined where it was made for another audience, or where another team was named.
 */
function ownGrant(
  claims: Readonly<Record<string, unknown>>,
  audience: string,
  teamId: string | undefined,
): OwnGrant | undefined {
  const { team_id: team, project_id: projectId, actions } = claims;
  if (soleAudience(claims) !== audience) return undefined;
  if (typeof team !== 'string' || typeof projectId !== 'string') return undefined;
  if (teamId !== undefined && teamId !== team) return undefined;
  const given = Array.isArray(actions) ? (actions as Action[]) : ['pull' as const];
  return { teamId: team, projectId, actions: given };
}

function withOwn(others: IssuerKeys, own: OidcVerifierDeps['own']): IssuerKeys {
  if (!own) return others;
  return {
    current: (issuer) => (issuer === own.url ? own.keySet() : others.current(issuer)),
    // It publishes its keys before they sign: an unknown one is none of them.
    newer: async (issuer, known) => (issuer === own.url ? undefined : others.newer(issuer, known)),
    close: () => others.close(),
  };
}

/** @throws RegistryError `unavailable` */
async function isSigned(jwt: string, token: UnverifiedJwt, issuerKeys: IssuerKeys) {
  const keys = await issuerKeys.current(token.issuer);
  if (await isSignedBy(keys, jwt, token)) return true;
  // A key that is known has spoken; only one that is not may have been published since (A17, A23).
  if (token.keyId !== undefined && keys.keyIds.has(token.keyId)) return false;
  const newer = await issuerKeys.newer(token.issuer, keys);
  return newer !== undefined && (await isSignedBy(newer, jwt, token));
}

async function isSignedBy(keys: KeySet, jwt: string, token: UnverifiedJwt): Promise<boolean> {
  try {
    await compactVerify(jwt, keys.find, { algorithms: [token.algorithm] });
    return true;
  } catch {
    // No such key, several, a weak or broken one, or not its signature: all the same to the sender.
    return false;
  }
}

/** RFC 7519 4.1.4 to 4.1.6: exp is required here, nbf and iat are judged where they are. */
function denyByTime(
  issuer: string,
  claims: Readonly<Record<string, unknown>>,
  now: number,
): OidcDenial | undefined {
  const { exp, nbf, iat } = claims;
  for (const [name, value] of Object.entries({ exp, nbf, iat })) {
    const isTime = typeof value === 'number' && value >= 0 && value <= maxSeconds;
    if (isTime || (value === undefined && name !== 'exp')) continue;
    return denyTime(
      `The token is genuine, but its "${name}" claim is ${value === undefined ? 'missing' : 'not a time in seconds'}.`,
      'Tokens without a plain end of validity are not accepted: ask the issuer for one that has it.',
    );
  }
  const expiresAt = (exp as number) * 1000;
  if (now >= expiresAt + skewMs) return denyExpired(issuer, claims, expiresAt, now);
  for (const [start, from] of [
    [nbf, 'is valid only from'],
    [iat, 'says that it was issued at'],
  ] as const) {
    if (typeof start === 'number' && start * 1000 > now + skewMs) {
      return denyTime(
        `The token ${from} ${time(start * 1000)}; it is now ${time(now)}.`,
        "Wait until then, or set the clock right on the issuer's or the registry's machine (60 seconds of difference are allowed).",
      );
    }
  }
  if (typeof iat === 'number' && iat * 1000 > expiresAt) {
    return denyTime('The token says that it expired before it was issued.', 'Get a new one.');
  }
  return undefined;
}
