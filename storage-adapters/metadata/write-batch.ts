import type { DatabaseSync } from 'node:sqlite';
import { type ErrorInfo, RegistryError } from '../../src/oci/errors.ts';
import { runCommand } from './commands/index.ts';
import type { SqliteExecutor } from './dialects/sqlite.ts';
import type { WriteReply, WriteRequest } from './writer-messages.ts';

/**
 * Runs the requests in one transaction, each behind a savepoint, so that they share one sync of the
 * disk and a refused one takes nothing with it. Where SQLite rolls the whole transaction back (a full
 * disk, an I/O error), or the commit fails, each is tried again alone: the innocent ones succeed.
 */
export async function runBatch(
  db: DatabaseSync,
  executor: SqliteExecutor,
  requests: readonly WriteRequest[],
): Promise<WriteReply[]> {
  try {
    return await runTogether(db, executor, requests);
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    if (requests.length === 1) return [{ id: requests[0]!.id, error: toErrorInfo(error) }];
    const replies: WriteReply[] = [];
    for (const request of requests) replies.push(...(await runBatch(db, executor, [request])));
    return replies;
  }
}

async function runTogether(
  db: DatabaseSync,
  executor: SqliteExecutor,
  requests: readonly WriteRequest[],
): Promise<WriteReply[]> {
  const replies: WriteReply[] = [];
  db.exec('BEGIN IMMEDIATE');
  for (const request of requests) {
    const { id } = request;
    db.exec('SAVEPOINT command');
    try {
      const result = await runCommand(executor, request);
      db.exec('RELEASE command');
      replies.push({ id, result });
    } catch (error) {
      // No transaction any more: SQLite gave the whole group up.
      if (!db.isTransaction) throw error;
      db.exec('ROLLBACK TO command');
      db.exec('RELEASE command');
      replies.push({ id, error: toErrorInfo(error) });
    }
  }
  db.exec('COMMIT');
  return replies;
}

const sqliteFull = 13;
/** SQLITE_CONSTRAINT_FOREIGNKEY. */
const withoutParent = 787;

/** What a client may be told: a refusal as it is, a failure of the database without its inside. */
function toErrorInfo(error: unknown): ErrorInfo {
  if (error instanceof RegistryError) return error.info;
  const code = (error as { errcode?: number }).errcode ?? 0;
  if ((code & 0xff) === sqliteFull) {
    return {
      kind: 'storage-full',
      message: 'The registry has no room left to record this.',
      hint: 'The operator must free space; then try again.',
    };
  }
  if (code === withoutParent) {
    return {
      kind: 'name-unknown',
      message: 'What this belongs to was deleted meanwhile.',
      hint: 'Check that the repository is still there, and try again.',
    };
  }
  if (code !== 0) {
    return {
      kind: 'unavailable',
      message: 'The database could not record this now.',
      hint: 'Try again.',
      detail: { cause: (error as Error).message },
    };
  }
  return { kind: 'internal', message: 'The registry failed.', detail: { cause: String(error) } };
}
