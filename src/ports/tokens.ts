import type { Digest } from '../oci/digest.ts';
import type { Awaitable } from './awaitable.ts';
import type { Action } from './trust-policies.ts';

/** `create` may push what is new, and overwrites no tag. */
export type TokenScope = 'read' | 'create' | 'write' | 'admin';

/** A long-lived credential. The secret itself is never stored: only its SHA-256. */
export interface Token {
  readonly id: string;
  readonly name: string;
  /** The team of a team token; undefined for an account token. */
  readonly teamId: string | undefined;
  /** The person of an account token; undefined for a team token. */
  readonly accountId: string | undefined;
  readonly scope: TokenScope;
  /** Projects it is narrowed to; undefined: all. */
  readonly projectIds: readonly string[] | undefined;
  readonly createdAt: number;
  readonly expiresAt: number | undefined;
  readonly revokedAt: number | undefined;
  readonly lastUsedAt: number | undefined;
}

/** What `offline_token` gives: stands for a login until it expires or what it stands for is revoked. */
export interface RefreshToken {
  readonly id: string;
  /** The token or policy that it stands for. */
  readonly credential: RefreshCredential;
  readonly expiresAt: number;
}

export type RefreshCredential =
  | { readonly type: 'token'; readonly tokenId: string; readonly teamId: string }
  /** A token that was exchanged for a JWT (RFC 8693). */
  | { readonly type: 'issued'; readonly issuedId: string }
  | {
      readonly type: 'oidc';
      readonly policyIds: readonly string[];
      readonly issuer: string;
      readonly subject: string;
      /** Of this installation's own tokens: the project that holds it, trusted without a policy. */
      readonly own?: OwnGrant | undefined;
    }
  /** Minted for one pull (instance-identity.ts). */
  | {
      readonly type: 'pull';
      readonly teamId: string;
      readonly repositoryId: string;
      readonly digest: Digest;
      /** UTC milliseconds. */
      readonly expiresAt: number;
    }
  /** Minted for a service's role (instance-identity.ts). */
  | ({
      readonly type: 'role';
      /** `<environment>/<service>` */
      readonly subject: string;
      readonly expiresAt: number;
    } & OwnGrant);

/** What an environment of a project may do in that project. */
export interface OwnGrant {
  readonly teamId: string;
  readonly projectId: string;
  readonly actions: readonly Action[];
}

/** Whose: one of the two. */
export interface TokenFilter {
  readonly teamId?: string;
  readonly accountId?: string;
}

export interface Tokens {
  /** By SHA-256 of the secret, lower-case hex. */
  findByHash(hash: string): Awaitable<Token | undefined>;
  findById(id: string): Awaitable<Token | undefined>;
  list(filter: TokenFilter): Awaitable<Token[]>;
  /** Newest first, those older than `before`, at most `limit`. */
  page(filter: TokenFilter, before: string | undefined, limit: number): Awaitable<Token[]>;
  findRefresh(hash: string): Awaitable<RefreshToken | undefined>;
  /**
   * A number that changes with every change to tokens, members, roles, policies and visibility: what was
   * cached under an older one must be asked again.
   */
  epoch(): Awaitable<number>;
}
