/** The one writer of the embedded database, on a thread of its own: the event loop never waits for a disk. */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { RegistryError } from '../../src/oci/errors.ts';
import { collectAll } from '../collector.ts';
import { openSqlite, SqliteExecutor } from './dialects/sqlite.ts';
import { migrate } from './migrations/migrate.ts';
import { explainOpen } from './open-failure.ts';
import { runBatch } from './write-batch.ts';
import type { WriteRequest, WriterMessage } from './writer-messages.ts';

/** More in one transaction would make the first of them wait for the last without saving another sync. */
const largestBatch = 256;

const port = parentPort!;
const { file } = workerData as { file: string };
const send = (message: WriterMessage): void => port.postMessage(message);

async function main(): Promise<void> {
  const db = openSqlite(file, 'write');
  const executor = new SqliteExecutor(db);
  db.exec('BEGIN IMMEDIATE');
  await migrate(executor, Date.now());
  db.exec('COMMIT');
  send({ type: 'ready' });
  // Beside the rest of the start, which goes on in the main thread.
  collectAll();

  let running = false;
  const queue: WriteRequest[] = [];
  const drain = async (): Promise<void> => {
    running = true;
    while (queue.length > 0) {
      // What arrived while the last commit was syncing joins this one.
      for (let next = receiveMessageOnPort(port); next; next = receiveMessageOnPort(port)) {
        if (next.message === 'close') closing = true;
        else queue.push(next.message as WriteRequest);
      }
      const batch = queue.splice(0, largestBatch);
      send({ type: 'replies', replies: await runBatch(db, executor, batch) });
    }
    running = false;
    if (closing) {
      db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
      db.close();
      port.close();
    }
  };
  let closing = false;
  port.on('message', (message: WriteRequest | 'close') => {
    if (message === 'close') closing = true;
    else queue.push(message);
    if (!running) void drain();
  });
}

main().catch((thrown: unknown) => {
  const error = explainOpen(thrown, file);
  send({ type: 'failed', error: error instanceof RegistryError ? error.info : String(error) });
});
