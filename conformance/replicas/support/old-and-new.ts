/** For tests of upgrades: from which program, how a migration is killed, what the database is. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { releases } from '../../../storage-adapters/metadata/migrations/fixtures/released.ts';
import { historyObstacle } from '../../tools/old-program.ts';
import { startEnv } from '../../tools/start-env.ts';

export const lastRelease = releases.at(-1)!;

/** Why its program cannot be had here; undefined where it can. */
export function oldProgramObstacle(): string | undefined {
  return historyObstacle(lastRelease.commit);
}

const killer = join(import.meta.dirname, 'die-at-statement.mjs');

/** Environment of a server that is killed by SIGKILL in the middle of its migrations. */
export const diesInMigration: Readonly<Record<string, string>> = {
  NODE_OPTIONS: `${startEnv.NODE_OPTIONS} --import=${pathToFileURL(killer)}`,
  // The last statement of the ninth: three are done, and one is not yet.
  DIE_AT: 'add column "address_of"',
};
