import type { Awaitable } from './awaitable.ts';
import type { Account } from './teams.ts';

/** A browser that signed in. Its cookie is never stored: only the SHA-256 of it. */
export interface Session {
  readonly id: string;
  /** The person; undefined for a token of a team. */
  readonly accountId: string | undefined;
  /** The token that was signed in with, where it was one: the session ends with it, and may no more. */
  readonly tokenId: string | undefined;
  readonly address: string | undefined;
  readonly userAgent: string | undefined;
  readonly createdAt: number;
  readonly lastSeenAt: number;
  /** However much it is used. */
  readonly expiresAt: number;
}

export interface Sessions {
  findByHash(hash: string): Awaitable<Session | undefined>;
  findById(id: string): Awaitable<Session | undefined>;
  /** Newest first; of a person, or of who signed in with that token of a team. */
  list(owner: { accountId: string } | { tokenId: string }): Awaitable<Session[]>;
  /** Who somebody at an OIDC provider is here. */
  findSignIn(issuer: string, subject: string): Awaitable<Account | undefined>;
  /** Accounts with that address, in any case of letters, and whether somebody of `issuer` is bound to each. */
  findByEmail(
    email: string,
    issuer: string,
  ): Awaitable<readonly { readonly account: Account; readonly bound: boolean }[]>;
}
