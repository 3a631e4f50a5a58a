import type { Awaitable } from './awaitable.ts';
import type { PlanName } from './teams.ts';

/** What a team or a project holds, and what was moved in a month (`2026-11`, UTC). Sizes are bytes. */
export interface UsageCounts {
  readonly projects: number;
  readonly repositories: number;
  readonly images: number;
  readonly tags: number;
  /** Blobs, once for each repository that holds them. */
  readonly storedBytes: number;
  readonly pulledBytes: number;
  readonly pushedBytes: number;
  /** Of the fullest project, and of the fullest repository: those that limits are of. */
  readonly most: { readonly repositories: number; readonly images: number; readonly tags: number };
}

/** What limits are compared with after a push. */
export interface PushUsage {
  /** Of its project. */
  readonly repositories: number;
  readonly images: number;
  readonly tags: number;
  /** Of its team. */
  readonly storedBytes: number;
}

export interface Usage {
  /** Of a team, or of one project in it. */
  counts(
    scope: { readonly teamId: string; readonly projectId?: string | undefined },
    month: string,
  ): Awaitable<UsageCounts>;
  ofPush(repositoryId: string): Awaitable<PushUsage | undefined>;
  storedBytes(teamId: string): Awaitable<number>;
  /** Teams that pulled in that month. */
  pulled(month: string): Awaitable<{ teamId: string; plan: PlanName; bytes: number }[]>;
}

/** `2026-11` of a moment, UTC. */
export const monthOf = (milliseconds: number): string =>
  new Date(milliseconds).toISOString().slice(0, 7);
