import type { Action, TrustPolicy } from '../ports/trust-policies.ts';
import { allActions } from '../ports/trust-policies.ts';
import { actionsWithin } from './identities.ts';
import { cut } from './oidc-explain.ts';
import { judgeClaims, soleAudience } from './oidc-match.ts';
import type { Examination, OidcVerifier } from './oidc-verifier.ts';

type Claims = Readonly<Record<string, unknown>>;

/** One thing that a policy asks of a token. */
export interface SimulatedCheck {
  /** `iss`, `aud`, or the claim that the policy names. */
  readonly claim: string;
  /** One of which must match. */
  readonly expected: readonly string[];
  /** As in the token, cut where it is long; null where the token lacks it. */
  readonly received: unknown;
  readonly matches: boolean;
  readonly reason: string;
}

export interface SimulatedPolicy {
  readonly policy: TrustPolicy;
  readonly matches: boolean;
  readonly checks: readonly SimulatedCheck[];
  /** What it gives at the project that was asked for, or in all of its own; empty where it does not match. */
  readonly actions: readonly Action[];
}

export interface Simulation {
  readonly signature: Examination['signature'] | 'not-verified';
  /** Why the token is not good at this time; undefined where it is. */
  readonly time: string | undefined;
  /** Whether the JWT would log in now. Bare claims are nobody's. */
  readonly accepted: boolean;
  readonly policies: readonly SimulatedPolicy[];
}

/** What each policy of a team makes of a token, and why. Nothing of the token is kept. */
export class PolicySimulator {
  readonly #oidc: OidcVerifier;
  readonly #audience: () => string;

  constructor(deps: { oidc: OidcVerifier; audience: () => string }) {
    this.#oidc = deps.oidc;
    this.#audience = deps.audience;
  }

  /** Undefined: `jwt` is none. `projectId`: what is given there alone. */
  async ofJwt(
    policies: readonly TrustPolicy[],
    jwt: string,
    projectId: string | undefined,
  ): Promise<Simulation | undefined> {
    const trusted = new Set(policies.map(({ issuer }) => issuer));
    const examined = await this.#oidc.examine(jwt, (issuer) => trusted.has(issuer));
    return examined && this.#simulate(policies, examined.claims, projectId, examined.signature);
  }

  ofClaims(
    policies: readonly TrustPolicy[],
    claims: Claims,
    projectId: string | undefined,
  ): Simulation {
    return this.#simulate(policies, claims, projectId, 'not-verified');
  }

  #simulate(
    policies: readonly TrustPolicy[],
    claims: Claims,
    projectId: string | undefined,
    signature: Simulation['signature'],
  ): Simulation {
    const time = this.#oidc.problemOfTime(claims);
    const judged = policies.map((policy) => this.#judge(policy, claims, projectId));
    const { sub } = claims;
    const named = typeof sub === 'string' && sub !== '';
    const matched = judged.some(({ matches }) => matches);
    return {
      signature,
      time,
      accepted: signature === 'valid' && time === undefined && named && matched,
      policies: judged,
    };
  }

  #judge(policy: TrustPolicy, claims: Claims, projectId: string | undefined): SimulatedPolicy {
    const audience = policy.audience ?? this.#audience();
    const checks = [
      check('iss', [policy.issuer], claims.iss, claims.iss === policy.issuer, 'exactly'),
      check('aud', [audience], claims.aud, soleAudience(claims) === audience, 'exactly'),
      ...judgeClaims(policy, claims).map(({ claim, expected, received, matches }) =>
        check(claim, expected, received, matches, 'pattern'),
      ),
    ];
    // A policy without claims matches nothing, whatever the token says.
    const matches = Object.keys(policy.claims).length > 0 && checks.every((one) => one.matches);
    const covers = projectId === undefined || (policy.projectIds?.includes(projectId) ?? true);
    const actions = matches && covers ? actionsWithin(policy.actions, allActions) : [];
    return { policy, matches, checks, actions };
  }
}

function check(
  claim: string,
  expected: readonly string[],
  received: unknown,
  matches: boolean,
  how: 'exactly' | 'pattern',
): SimulatedCheck {
  return {
    claim,
    expected,
    received: received === undefined ? null : cut(received),
    matches,
    reason: reasonOf(claim, received, matches, how),
  };
}

function reasonOf(claim: string, received: unknown, matches: boolean, how: 'exactly' | 'pattern') {
  if (matches) return how === 'exactly' ? 'It is the same.' : 'It matches.';
  if (received === undefined) return `The token has no claim "${claim}".`;
  if (claim === 'aud' && Array.isArray(received) && received.length !== 1) {
    return 'Exactly one audience is accepted.';
  }
  if (how === 'exactly') return 'It must be the same, to the last character.';
  return 'None of the patterns matches the whole value.';
}
