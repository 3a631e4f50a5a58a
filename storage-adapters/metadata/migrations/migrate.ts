import type { Compilable } from 'kysely';
import { refuse } from '../../../src/oci/errors.ts';
import type { CompiledStatement, Dialect, Executor, SqlValue } from '../database.ts';
import { query } from '../database.ts';
import { registry } from './001-registry.ts';
import { management } from './002-management.ts';
import { functions } from './003-functions.ts';
import { collection } from './004-collection.ts';
import { retention } from './005-retention.ts';
import { replicas } from './006-replicas.ts';
import { scrub } from './007-scrub.ts';
import { scale } from './008-scale.ts';
import { peers } from './009-peers.ts';
import { domains } from './010-domains.ts';
import { removedVolumes } from './011-removed-volumes.ts';
import { deploymentIndexes } from './012-deployment-indexes.ts';
import { largeRepositories } from './013-large-repositories.ts';

/** In order; a released one never changes. */
const migrations: readonly ((dialect: Dialect) => Compilable[])[] = [
  registry,
  management,
  functions,
  collection,
  retention,
  replicas,
  scrub,
  scale,
  peers,
  domains,
  removedVolumes,
  deploymentIndexes,
  largeRepositories,
];

export const schemaVersion = migrations.length;

/** The statements that lead to a version from the one before it. */
export function stepsOf(version: number, dialect: Dialect): Compilable[] {
  return migrations[version - 1]!(dialect);
}

export const appliedVersion = query<object, { version: number }>((db) =>
  db.selectFrom('migrations').select((e) => e.fn.max('version').as('version')),
);
const recordVersion = query<{ version: number; at: number }>((db, p) =>
  db.insertInto('migrations').values({ version: p('version'), applied_at: p('at') }),
);

/**
 * Brings the schema to this program's version, inside the caller's transaction. Throws where the
 * database is newer than the program: an older program would misread it. `to`: an older version, for facts that
 * are of that version.
 */
export async function migrate(
  executor: Executor,
  now: number,
  to: number = schemaVersion,
): Promise<void> {
  const { dialect } = executor;
  await execute(
    executor,
    dialect.builder.schema
      .createTable('migrations')
      .ifNotExists()
      .addColumn('version', dialect.integer, (c) => c.primaryKey())
      .addColumn('applied_at', dialect.integer, (c) => c.notNull()),
  );
  const applied = (await appliedVersion.get(executor, {}))?.version ?? 0;
  if (applied > schemaVersion) {
    throw refuse(
      'conflict',
      `The database has schema version ${applied}, newer than this program's ${schemaVersion}.`,
      'Start the newer program: this one would misread it.',
    );
  }
  for (let version = applied + 1; version <= to; version++) {
    for (const step of stepsOf(version, dialect)) await execute(executor, step);
    await recordVersion.run(executor, { version, at: now });
  }
}

async function execute(executor: Executor, step: Compilable): Promise<void> {
  const { sql, parameters } = step.compile();
  const statement: CompiledStatement = { sql, parameters: parameters as SqlValue[] };
  await executor.run(statement, {});
}
