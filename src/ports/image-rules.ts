import type { Awaitable } from './awaitable.ts';

/** Which of the images that it is about stay; an image stays where any rule keeps it. */
export interface RetentionRule {
  /** Patterns of the tags that it is about; absent: manifests without a tag that nothing names. */
  readonly tags?: readonly string[];
  /** So many, by when their tags were set (without a tag: pushed). */
  readonly keepNewest?: number;
  /** Those that were set, or pushed, within so many days. */
  readonly keepPushedDays?: number;
  /** Those that were pulled within so many days. */
  readonly keepPulledDays?: number;
}

/** Rules of a repository for what it holds, or of a project for those of its repositories that have none of their own. */
export interface ImageRules {
  /** Patterns (`*`: any characters) of tags that, once set, neither move nor go. */
  readonly immutableTags?: readonly string[];
  /** False: no tag is deleted, nor a manifest that has one. */
  readonly tagDeletion?: boolean;
  /** Absent: all stays. */
  readonly retention?: readonly RetentionRule[];
}

/** What holds where nothing else is said. */
export const defaultRules = {
  immutableTags: [] as readonly string[],
  tagDeletion: true,
} as const satisfies ImageRules;

export type EffectiveRules = ImageRules &
  Required<Pick<ImageRules, 'immutableTags' | 'tagDeletion'>>;

/** A repository's own rule takes the place of its project's, rule by rule. */
export function effectiveRules(own: ImageRules, ofProject: ImageRules): EffectiveRules {
  return { ...defaultRules, ...ofProject, ...own };
}

export interface ImageRuleStore {
  ofProject(projectId: string): Awaitable<ImageRules>;
  /** Its own, and those of its project. */
  ofRepository(repositoryId: string): Awaitable<{ own: ImageRules; ofProject: ImageRules }>;
}

/** Writes of rules. They hold for what comes after. */
export interface ImageRuleCommands {
  /** Takes the place of all that were there. Rejects with `not-found`. */
  SetProjectRules: { args: { projectId: string; rules: ImageRules }; result: null };
  /** Likewise; rejects with `name-unknown`. */
  SetRepositoryRules: { args: { repositoryId: string; rules: ImageRules }; result: null };
}
