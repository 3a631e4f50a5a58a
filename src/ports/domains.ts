import type { Awaitable } from './awaitable.ts';
import type { FunctionEnvironment } from './functions.ts';

/**
 * `pending`: its proof was not found yet; `verified`: it leads to the project (a row of its hosts); `failed`: it is not
 * looked for any more, or another project proved the name first.
 */
export const domainStates = ['pending', 'verified', 'failed'] as const;
export type DomainState = (typeof domainStates)[number];

/** A project's wish for a domain. Several may wish for one, until one of them proves that it is theirs. */
export interface DomainClaim {
  /** A whole name. */
  readonly host: string;
  readonly projectId: string;
  /** Where it is to lead. */
  readonly environment: FunctionEnvironment;
  readonly name: string;
  readonly service: string | undefined;
  /** What the DNS record has to say. */
  readonly token: string;
  readonly state: DomainState;
  /** What the last look found missing. */
  readonly message: string | undefined;
  readonly createdAt: number;
  readonly checkedAt: number | undefined;
}

export interface DomainClaims {
  find(projectId: string, host: string): Awaitable<DomainClaim | undefined>;
  /** Of a project, by name. */
  list(projectId: string): Awaitable<DomainClaim[]>;
  /** Over all projects: pending, and not looked at since `before`; those that wait for the longest first. */
  pending(before: number, limit: number): Awaitable<DomainClaim[]>;
}

export interface DomainCommands {
  /**
   * Has a domain lead to an environment, or wish to. One that is the project's already leads there at once; so does
   * every other where `trusted`. Rejects with `not-found` where there is no such project, and with `conflict` where
   * the name is another's, or the project has `most` that are not verified.
   */
  ClaimDomain: {
    args: Pick<DomainClaim, 'host' | 'projectId' | 'environment' | 'name' | 'service' | 'token'> & {
      trusted: boolean;
      most: number;
      now: number;
    };
    result: DomainClaim;
  };
  /**
   * What a look at DNS found: nothing is `missing`, or this is. Verified unless another project was first; `failed`
   * where it was, or with `last`. Undefined: there is no such claim any more.
   */
  CheckDomain: {
    args: {
      host: string;
      projectId: string;
      /** Of the claim that was looked for. */
      token: string;
      missing: string | undefined;
      last: boolean;
      now: number;
    };
    result: DomainClaim | undefined;
  };
  /** Rejects with `not-found`. */
  RemoveCustomDomain: { args: { host: string; projectId: string }; result: null };
}
