/** Where the server under test keeps its bytes: the same suites run on each. */
import type { Sandbox } from './sandbox.ts';

export interface Storage {
  readonly name: string;
  readonly obstacle?: () => string | undefined;
  /** Settings for the server, and how to end what was started for them. */
  start(sandbox: Sandbox): Promise<{ env: Record<string, string>; stop: () => Promise<void> }>;
}

export const filesystem: Storage = {
  name: 'the filesystem',
  start: async () => ({ env: {}, stop: async () => {} }),
};

export const storages: readonly Storage[] = [filesystem];
