import type { Awaitable } from './awaitable.ts';
import type { RefreshCredential } from './tokens.ts';
import type { Action } from './trust-policies.ts';

/** A short-lived token that was exchanged for a JWT (RFC 8693), by the SHA-256 of its secret. */
export interface IssuedToken {
  readonly id: string;
  readonly teamId: string;
  /** The JWT's subject, for people. */
  readonly name: string;
  readonly credential: Extract<RefreshCredential, { type: 'oidc' }>;
  /** Projects it is narrowed to; undefined: those of its policies. */
  readonly projectIds: readonly string[] | undefined;
  /** Actions it is narrowed to; undefined: those of its policies. */
  readonly actions: readonly Action[] | undefined;
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly revokedAt: number | undefined;
}

export interface IssuedTokens {
  findByHash(hash: string): Awaitable<IssuedToken | undefined>;
  findById(id: string): Awaitable<IssuedToken | undefined>;
  /** Those of a team, newest first, older than `before`, at most `limit`. */
  list(teamId: string, before: string | undefined, limit: number): Awaitable<IssuedToken[]>;
}
