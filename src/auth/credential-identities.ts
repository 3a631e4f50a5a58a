import { createHash } from 'node:crypto';
import type { Grant, Identity } from '../ports/identity.ts';
import type { OwnGrant, RefreshCredential } from '../ports/tokens.ts';
import type { OidcAcceptance } from './oidc-verifier.ts';

export type PullCredential = Extract<RefreshCredential, { type: 'pull' }>;
export type RoleCredential = Extract<RefreshCredential, { type: 'role' }>;

/** The identity of a JWT that was accepted, for as long as it is good. */
export function acceptedIdentity(accepted: OidcAcceptance): Identity {
  const { issuer, subject, policies, own, expiresAt } = accepted;
  const grants = policies.map(({ teamId, projectIds, actions }) => ({
    ...{ teamId, projectIds, actions },
  }));
  if (own) grants.push(grantOf(own));
  const policyIds = policies.map((policy) => policy.id);
  const credential = { type: 'oidc' as const, policyIds, issuer, subject, ...(own && { own }) };
  return { ...oidcIdentity(credential, grants), expiresAt };
}

/** The identity of a JWT that policies matched. */
export function oidcIdentity(
  credential: Extract<RefreshCredential, { type: 'oidc' }>,
  grants: readonly Grant[],
): Identity {
  const who = hashSecret(`${credential.issuer}\n${credential.subject}`).slice(0, 32);
  return {
    id: `oidc_${who}`,
    kind: 'oidc',
    actor: credential.subject,
    grants,
    expiresAt: undefined,
    credential,
  };
}

/** Grants nothing anywhere: what it may read is asked by name (authorizer.ts, `pullScope`). */
export function pullIdentity(credential: PullCredential): Identity {
  const { repositoryId, digest, expiresAt } = credential;
  return {
    id: `pull_${hashSecret(`${repositoryId}@${digest}`).slice(0, 32)}`,
    kind: 'pull',
    actor: 'function runtime',
    grants: [],
    expiresAt,
    credential,
  };
}

export function roleIdentity(credential: RoleCredential): Identity {
  const { projectId, actions, subject, expiresAt } = credential;
  return {
    id: `role_${hashSecret(`${projectId}/${subject}`).slice(0, 32)}`,
    kind: 'oidc',
    actor: `service ${subject}`,
    grants: actions.length > 0 ? [grantOf(credential)] : [],
    expiresAt,
    credential,
  };
}

export function grantOf({ teamId, projectId, actions }: OwnGrant): Grant {
  return { teamId, projectIds: [projectId], actions };
}

export function hashSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}
