import type { Awaitable } from './awaitable.ts';

export type PlanName = 'self-hosted' | 'hobby' | 'pro' | 'enterprise';
export type Role = 'viewer' | 'developer' | 'admin' | 'owner';

export interface Team {
  readonly id: string;
  readonly slug: string;
  readonly name: string;
  readonly plan: PlanName;
  /** False: pushed images do not run. */
  readonly functions?: boolean | undefined;
  readonly createdAt: number;
}

export interface Account {
  readonly id: string;
  readonly name: string;
  readonly email?: string | undefined;
  /** Runs the installation: may make teams and accounts, and sees the whole audit log. */
  readonly operator?: boolean | undefined;
  readonly createdAt: number;
}

export interface Member {
  readonly teamId: string;
  readonly accountId: string;
  readonly accountName: string;
  readonly role: Role;
}

/** Teams, the people in them and their roles. Reads only: every write is a command. */
export interface Teams {
  findById(id: string): Awaitable<Team | undefined>;
  findBySlug(slug: string): Awaitable<Team | undefined>;
  list(): Awaitable<Team[]>;
  /** Those of `ids` (undefined: all) by slug, after `after`, at most `limit`. */
  page(
    ids: readonly string[] | undefined,
    after: string | undefined,
    limit: number,
  ): Awaitable<Team[]>;
  findAccount(idOrName: string): Awaitable<Account | undefined>;
  listAccounts(): Awaitable<Account[]>;
  /** By name, after `after`, at most `limit`. */
  pageAccounts(after: string | undefined, limit: number): Awaitable<Account[]>;
  findMember(teamId: string, accountId: string): Awaitable<Member | undefined>;
  listMembers(teamId: string): Awaitable<Member[]>;
  /** By the account's name, after `after`, at most `limit`. */
  pageMembers(teamId: string, after: string | undefined, limit: number): Awaitable<Member[]>;
  /** An account's memberships, by team. */
  listMemberships(accountId: string): Awaitable<Member[]>;
}
