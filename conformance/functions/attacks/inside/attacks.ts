import { bombs } from './bombs.ts';
import type { Scope } from './inside.ts';
import { networks } from './networks.ts';
import { volumes } from './volumes.ts';
import { workFolders } from './work-folders.ts';

export interface Attack {
  /** Why it cannot be tried here. */
  readonly obstacle?: () => string | undefined;
  readonly run: (scope: Scope) => Promise<void>;
}

/** By title. */
export const attacks: Readonly<Record<string, Attack>> = {
  ...workFolders,
  ...networks,
  ...bombs,
  ...volumes,
};
