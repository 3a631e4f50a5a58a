import type { TestContext } from 'node:test';
import { createOidcVerifier, type OidcVerifier } from '../../src/auth/oidc-verifier.ts';
import { createOutboundGuard } from '../../src/auth/outbound-guard.ts';
import type { TrustPolicy } from '../../src/ports/trust-policies.ts';
import { type IssuerOptions, startIssuer, type TestIssuer } from './issuer.ts';

/** The audience of the instance under test. */
export const instanceAudience = 'registry.example';

export interface LogLine {
  readonly level: 'info' | 'warn';
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A verifier with policies in memory, a clock that is set by hand and a real issuer on loopback. */
export interface OidcSetup {
  readonly issuer: TestIssuer;
  readonly verifier: OidcVerifier;
  /** What `findByIssuer` picks from; change it at will. */
  readonly policies: TrustPolicy[];
  /** UTC milliseconds. */
  readonly clock: { time: number };
  readonly log: LogLine[];
  /** Signs with the instance's audience unless `aud` is given. */
  token(claims?: Readonly<Record<string, unknown>>): Promise<string>;
}

let madePolicies = 0;

/** A policy of `team_a` for that issuer, accepting `sub` `org/app`. */
export function policyFor(issuer: string, overrides: Partial<TrustPolicy> = {}): TrustPolicy {
  madePolicies += 1;
  return {
    id: `policy_${madePolicies}`,
    teamId: 'team_a',
    name: 'ci',
    issuer,
    audience: undefined,
    claims: { sub: ['org/app'] },
    projectIds: undefined,
    actions: ['pull', 'push'],
    createdAt: 0,
    ...overrides,
  };
}

export async function setUpOidc(t: TestContext, options: IssuerOptions = {}): Promise<OidcSetup> {
  const clock = { time: Date.UTC(2026, 0, 1) };
  const issuer = await startIssuer({ now: () => clock.time / 1000, ...options });
  const outbound = createOutboundGuard({ allow: ['loopback'] });
  const policies = [policyFor(issuer.url)];
  const log: LogLine[] = [];
  const verifier = createOidcVerifier({
    trustPolicies: {
      findByIssuer: async (iss) => policies.filter((policy) => policy.issuer === iss),
    },
    audience: () => instanceAudience,
    clock: { now: () => clock.time },
    outbound,
    log: {
      info: (message, fields) => log.push({ level: 'info', message, fields }),
      warn: (message, fields) => log.push({ level: 'warn', message, fields }),
    },
  });
  t.after(async () => {
    verifier.close();
    await outbound.close();
    await issuer.close();
  });
  return {
    issuer,
    verifier,
    policies,
    clock,
    log,
    token: (claims) => issuer.sign({ aud: instanceAudience, sub: 'org/app', ...claims }),
  };
}
