/** Loaded before an old server (`node --import`): writes down each query that it sends to Postgres. */
import { appendFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const file = process.env.RECORD_QUERIES;
const pg = createRequire(join(process.cwd(), 'package.json'))('pg');
const ids = new WeakMap();
let last = 0;
const { query } = pg.Client.prototype;
pg.Client.prototype.query = function (...args) {
  const [config, values] = args;
  const text = typeof config === 'string' ? config : config.text;
  const given = (typeof config === 'string' ? values : config.values) ?? [];
  if (!ids.has(this)) ids.set(this, ++last);
  const plain = given.map((value) =>
    value instanceof Uint8Array ? { base64: Buffer.from(value).toString('base64') } : value,
  );
  const result = query.apply(this, args);
  // In the order in which they were answered: what one connection saw of another comes after it.
  const note = (rows) =>
    appendFileSync(file, `${JSON.stringify([ids.get(this), text, plain, rows])}\n`);
  if (typeof result?.then === 'function') {
    result.then(
      ({ rowCount }) => note(rowCount),
      () => note('failed'),
    );
  }
  return result;
};
