import type { Awaitable } from './awaitable.ts';
import type { FunctionEnvironment } from './functions.ts';

/** `queued`: it waits, at first or for another try; `running`: an attempt is under way. */
export type InvocationState = 'queued' | 'running' | 'succeeded' | 'failed';

/** What the function answered. */
export interface InvocationResult {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Base64. */
  readonly body: string;
  /** Bytes of the answer were left out: it is longer than what is kept. */
  readonly truncated: boolean;
}

/** A call of a function that nobody waits for. */
export interface Invocation {
  readonly id: string;
  readonly projectId: string;
  readonly service: string;
  /** The pointer that is asked at each attempt. */
  readonly environment: FunctionEnvironment;
  readonly name: string;
  readonly state: InvocationState;
  readonly attempts: number;
  /** When it is tried next; of one that runs: when it is taken to be lost. */
  readonly runAt: number;
  readonly contentType: string | undefined;
  readonly result: InvocationResult | undefined;
  /** Why the last attempt failed. */
  readonly error: string | undefined;
  readonly createdAt: number;
  readonly createdBy: string;
  readonly finishedAt: number | undefined;
}

export interface Invocations {
  find(projectId: string, id: string): Awaitable<Invocation | undefined>;
  /** Newest first, before `before` (an id), at most `limit`. */
  page(
    scope: { readonly projectId: string; readonly service: string },
    before: string | undefined,
    limit: number,
  ): Awaitable<Invocation[]>;
  /** When the next one is due; undefined: none waits. */
  nextRunAt(): Awaitable<number | undefined>;
}

/** Writes of invocations. */
export interface InvocationCommands {
  /** Rejects with `too-many-requests` where `most` of the project wait already. */
  CreateInvocation: {
    args: { invocation: Invocation; payload: Uint8Array; most: number };
    result: null;
  };
  /**
   * Those that are due, oldest first, become `running` until `leaseUntil`: who dies with one gives it back so.
   * `abandoned`: what runs with a lease until then is lost, though it is not over: who ran it is no more.
   */
  ClaimInvocations: {
    args: { now: number; leaseUntil: number; limit: number; abandoned?: number | undefined };
    result: { invocation: Invocation; payload: Uint8Array }[];
  };
  /** The end of attempt `attempt`; `runAt`: it is tried again then. Nothing happens where another attempt has begun. */
  FinishInvocation: {
    args: {
      id: string;
      attempt: number;
      state: 'queued' | 'succeeded' | 'failed';
      runAt?: number | undefined;
      result?: InvocationResult | undefined;
      error?: string | undefined;
      now: number;
    };
    result: { changed: boolean };
  };
  /** Those that finished before, at most `limit`. */
  PruneInvocations: { args: { before: number; limit: number }; result: { pruned: number } };
}
