import type { Awaitable } from './awaitable.ts';

/**
 * What may be done at a place. `create` pushes what is new and moves no tag; `push` moves tags, too;
 * `deploy` promotes and rolls back; `functions` sets functions, reads their logs and runs commands in them;
 * `manage` changes settings, members, tokens and trust.
 */
export type Action = 'pull' | 'create' | 'push' | 'delete' | 'deploy' | 'functions' | 'manage';

export const allActions: readonly Action[] = [
  'pull',
  'create',
  'push',
  'delete',
  'deploy',
  'functions',
  'manage',
];

/** Whose tokens a team accepts, and for what. */
export interface TrustPolicy {
  readonly id: string;
  readonly teamId: string;
  readonly name: string;
  /** Exactly as in the tokens' `iss`. */
  readonly issuer: string;
  /** The only `aud` that is accepted; undefined: this instance's own. */
  readonly audience: string | undefined;
  /** Claim name -> patterns, one of which must match. `*` stands for any run of characters but `/` and `:`, `**` for any at all. */
  readonly claims: Readonly<Record<string, readonly string[]>>;
  /** Project ids, or undefined for all projects of the team. */
  readonly projectIds: readonly string[] | undefined;
  readonly actions: readonly Action[];
  readonly createdAt: number;
}

export interface TrustPolicies {
  findByIssuer(issuer: string): Awaitable<TrustPolicy[]>;
  findByIds(ids: readonly string[]): Awaitable<TrustPolicy[]>;
  list(teamId: string): Awaitable<TrustPolicy[]>;
  /** Those of a team by name, after `after`, at most `limit`. */
  page(teamId: string, after: string | undefined, limit: number): Awaitable<TrustPolicy[]>;
}
