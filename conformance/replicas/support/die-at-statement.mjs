/**
 * Loaded before a server (`node --import`): SIGKILL before the first SQL statement with the text of DIE_AT in it, in
 * SQLite or in Postgres.
 */
import { createRequire } from 'node:module';
import { DatabaseSync } from 'node:sqlite';

const pg = createRequire(import.meta.url)('pg');

for (const [prototype, method] of [
  [DatabaseSync.prototype, 'exec'],
  [DatabaseSync.prototype, 'prepare'],
  [pg.Client.prototype, 'query'],
]) {
  const original = prototype[method];
  prototype[method] = function (...args) {
    const text = typeof args[0] === 'string' ? args[0] : args[0]?.text;
    if (text?.includes(process.env.DIE_AT)) process.kill(process.pid, 'SIGKILL');
    return original.apply(this, args);
  };
}
