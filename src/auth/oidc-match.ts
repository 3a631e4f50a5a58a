import type { TrustPolicy } from '../ports/trust-policies.ts';
import { claimTexts, matchesAny } from './claim-patterns.ts';
import { subjectTexts } from './oidc-github-sub.ts';

type Claims = Readonly<Record<string, unknown>>;

export interface ClaimMismatch {
  readonly claim: string;
  /** Patterns, one of which would have had to match. */
  readonly expected: readonly string[];
  /** As in the token; undefined where the token lacks the claim. */
  readonly received: unknown;
}

/** Why a policy does not accept a token. */
export interface PolicyMismatch {
  readonly policy: TrustPolicy;
  /** What `aud` had to be, where it was something else. */
  readonly audience: string | undefined;
  readonly claims: readonly ClaimMismatch[];
}

export interface MatchResult {
  readonly matched: TrustPolicy[];
  /** Closest first: the right audience before a wrong one, then by the number of claims that fail. */
  readonly mismatches: PolicyMismatch[];
}

/** Each claim that a policy asks for, and whether the token has it so. */
export function judgeClaims(
  policy: TrustPolicy,
  claims: Claims,
): (ClaimMismatch & { readonly matches: boolean })[] {
  return Object.entries(policy.claims).map(([claim, expected]) => {
    const received = Object.hasOwn(claims, claim) ? claims[claim] : undefined;
    const texts = claim === 'sub' ? subjectTexts(claims) : claimTexts(received);
    return { claim, expected, received, matches: matchesAny(expected, texts) };
  });
}

/** The only audience of a token, or undefined where it has none or many. */
export function soleAudience(claims: Claims): string | undefined {
  const { aud } = claims;
  const only: unknown = Array.isArray(aud) && aud.length === 1 ? aud[0] : aud;
  return typeof only === 'string' && only !== '' ? only : undefined;
}

export function matchPolicies(
  policies: readonly TrustPolicy[],
  claims: Claims,
  instanceAudience: string,
): MatchResult {
  const received = soleAudience(claims);
  const matched: TrustPolicy[] = [];
  const mismatches: PolicyMismatch[] = [];
  for (const policy of policies) {
    const expected = policy.audience ?? instanceAudience;
    const audience = received === expected ? undefined : expected;
    const failed = failedClaims(policy, claims);
    // A policy without claims is a mistake, not a welcome to all: it matches nothing.
    const empty = Object.keys(policy.claims).length === 0;
    if (audience === undefined && failed.length === 0 && !empty) matched.push(policy);
    else mismatches.push({ policy, audience, claims: failed });
  }
  mismatches.sort((a, b) => rank(a) - rank(b));
  return { matched, mismatches };
}

function failedClaims(policy: TrustPolicy, claims: Claims): ClaimMismatch[] {
  return judgeClaims(policy, claims)
    .filter(({ matches }) => !matches)
    .map(({ claim, expected, received }) => ({ claim, expected, received }));
}

function rank({ audience, claims }: PolicyMismatch): number {
  return claims.length + (audience === undefined ? 0 : 1000);
}
