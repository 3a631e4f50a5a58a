import type { Awaitable } from './awaitable.ts';

export interface Tags {
  /** Names after `last` in byte order, at most `limit`. */
  list(repositoryId: string, last: string | undefined, limit: number): Awaitable<string[]>;
}
