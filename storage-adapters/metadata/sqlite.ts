import { chmod, mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { refuse } from '../../src/oci/errors.ts';
import type { Metadata } from '../../src/ports/metadata.ts';
import { openSqlite, SqliteExecutor } from './dialects/sqlite.ts';
import { explainOpen } from './open-failure.ts';
import { auditStore } from './stores/audit.ts';
import { blobsStore } from './stores/blobs.ts';
import { eventsStore } from './stores/events.ts';
import { issuedTokensStore } from './stores/issued-tokens.ts';
import { keysStore } from './stores/keys.ts';
import { manifestsStore } from './stores/manifests.ts';
import { outboxStore } from './stores/outbox.ts';
import { projectsStore } from './stores/projects.ts';
import { repositoriesStore } from './stores/repositories.ts';
import { secretsStore, variablesStore } from './stores/secrets.ts';
import { sessionsStore } from './stores/sessions.ts';
import { tagsStore } from './stores/tags.ts';
import { teamsStore } from './stores/teams.ts';
import { tokensStore } from './stores/tokens.ts';
import { trustPoliciesStore } from './stores/trust-policies.ts';
import { uploadsStore } from './stores/uploads.ts';
import { usageStore } from './stores/usage.ts';
import { webhooksStore } from './stores/webhooks.ts';
import { ThreadWriter } from './writer.ts';

/**
 * The embedded metadata, under `folder`:
 *
 *   gantry.db, gantry.db-wal, gantry.db-shm   the facts
 *   lock                                      held by the process that owns the folder
 *
 * Throws where another process owns the folder, or the schema is newer than the program's.
 */
export async function openSqliteMetadata(options: { folder: string }): Promise<Metadata> {
  await mkdir(options.folder, { recursive: true, mode: 0o700 });
  for (const name of ['lock', 'gantry.db']) await makePrivate(join(options.folder, name));
  const lock = lockFolder(options.folder);
  const file = join(options.folder, 'gantry.db');
  let writer: ThreadWriter;
  try {
    writer = await ThreadWriter.open(file);
  } catch (error) {
    lock.close();
    throw error;
  }
  const reader = openSqlite(file, 'read');
  const executor = new SqliteExecutor(reader);
  const tokens = tokensStore(executor);
  return {
    repositories: repositoriesStore(executor),
    manifests: manifestsStore(executor),
    tags: tagsStore(executor),
    blobs: blobsStore(executor),
    uploads: uploadsStore(executor),
    teams: teamsStore(executor),
    projects: projectsStore(executor),
    tokens,
    issuedTokens: issuedTokensStore(executor),
    sessions: sessionsStore(executor),
    trustPolicies: trustPoliciesStore(executor),
    secrets: secretsStore(executor),
    variables: variablesStore(executor),
    usage: usageStore(executor),
    keys: keysStore(executor),
    outbox: outboxStore(executor),
    events: eventsStore(executor),
    webhooks: webhooksStore(executor),
    audit: auditStore(executor),
    writer,
    onCommit: (listener) => writer.onCommit(listener),
    async ping() {
      await tokens.epoch();
      await writer.run('ForgetKeys', { keys: [] });
    },
    async close() {
      await writer.close();
      reader.close();
      lock.close();
    },
  };
}

/** Hashes of secrets are for their owner alone; SQLite gives its log and index the mode of the file. */
async function makePrivate(file: string): Promise<void> {
  await (await open(file, 'a', 0o600)).close();
  await chmod(file, 0o600);
}

/**
 * An exclusive transaction on a database of its own: the operating system gives it up when the process
 * ends, however it ends, so no stale lock is ever left.
 */
function lockFolder(folder: string): DatabaseSync {
  let lock: DatabaseSync | undefined;
  try {
    lock = new DatabaseSync(join(folder, 'lock'), { timeout: 0 });
    lock.exec('BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    lock?.close();
    const busy = (error as { errcode?: number }).errcode === 5;
    if (!busy) throw explainOpen(error, join(folder, 'lock'));
    throw refuse(
      'conflict',
      `Another Gantry is using the data folder ${folder}.`,
      'Stop it first, or give this one a folder of its own: GANTRY_DATA=./other-data',
    );
  }
}
