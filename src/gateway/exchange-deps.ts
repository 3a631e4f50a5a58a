import type { Activator, RequestObserver } from '../scheduler/activation.ts';

export interface ExchangeDeps {
  readonly activator: Activator;
  readonly observer: RequestObserver;
  now(): number;
  /** Of what no client is told. */
  failed(error: unknown, requestId: string): void;
  readonly limits: {
    /** Bytes of a body. */
    readonly request: number;
    readonly response: number;
    /** Milliseconds, for services that say nothing. */
    readonly timeoutMs: number;
  };
}

/** Instances that are tried, where nothing was sent to the one before. */
export const mostAttempts = 3;

/** 1xx answers to one request: nothing holds a container back that sends more. */
export const mostInformed = 16;

/** What a timer of Node can wait, in milliseconds: one that is longer would be over at once. */
export const timerLimit = 2 ** 31 - 1;
