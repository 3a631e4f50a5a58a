import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import type { Cell, ColumnType, Row, Snapshot, TableRows, TableShape } from '../../ports/rows.ts';
import { damaged } from './refusals.ts';

/**
 * A database as a file of lines, compressed with gzip:
 *
 *   {"gantry":"rows","version":6}
 *   {"table":"teams","columns":[["id","text"],["created_at","integer"]]}
 *   ["team_1",1700000000000]                one line a row; bytes are base64
 *   {"end":"teams","rows":1}
 *   …
 *   {"end":null}
 */
export interface DumpSummary {
  /** Of the file, in hex. */
  readonly sha256: string;
  /** Of the file. */
  readonly bytes: number;
  /** Rows by table. */
  readonly rows: Readonly<Record<string, number>>;
}

type Columns = [name: string, type: ColumnType][];
type Mark =
  | { readonly gantry: 'rows'; readonly version: number }
  | { readonly table: string; readonly columns: Columns }
  | { readonly end: string | null; readonly rows?: number };

/**
 * Writes all of a snapshot to `path` (mode 0600), which appears when it is whole and on the disk. `seen` is
 * called with each batch of rows.
 */
export async function writeDump(
  snapshot: Snapshot,
  path: string,
  seen: (table: TableShape, rows: readonly Row[]) => void,
): Promise<DumpSummary> {
  const unfinished = `${path}.part`;
  const hash = createHash('sha256');
  const rows: Record<string, number> = {};
  let bytes = 0;
  const count = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      bytes += chunk.length;
      done(null, chunk);
    },
  });
  await rm(unfinished, { force: true });
  await pipeline(
    Readable.from(textOf(snapshot, rows, seen), { objectMode: true, highWaterMark: 4 }),
    createGzip({ level: 1 }),
    count,
    createWriteStream(unfinished, { mode: 0o600, flush: true }),
  );
  await rename(unfinished, path);
  return { sha256: hash.digest('hex'), bytes, rows };
}

async function* textOf(
  snapshot: Snapshot,
  counts: Record<string, number>,
  seen: (table: TableShape, rows: readonly Row[]) => void,
): AsyncGenerator<string> {
  const mark = (value: Mark): string => `${JSON.stringify(value)}\n`;
  yield mark({ gantry: 'rows', version: snapshot.version });
  for (const table of snapshot.tables) {
    const { name, columns } = table;
    yield mark({ table: name, columns: columns.map((column) => [column.name, column.type]) });
    let count = 0;
    for await (const batch of snapshot.rows(table)) {
      seen(table, batch);
      count += batch.length;
      yield batch.map((row) => `${JSON.stringify(row.map(toText))}\n`).join('');
    }
    counts[name] = count;
    yield mark({ end: name, rows: count });
  }
  yield mark({ end: null });
}

function toText(cell: Cell): string | number | null {
  if (!(cell instanceof Uint8Array)) return cell;
  return Buffer.from(cell.buffer, cell.byteOffset, cell.byteLength).toString('base64');
}

/** Of a file, in hex. */
export async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return hash.digest('hex');
}

/**
 * The tables of a dump, in its order. Rows that the reader leaves are passed over. Rejects with `invalid` where the
 * file is not whole.
 */
export async function* readDump(path: string): AsyncGenerator<TableRows> {
  const lines = new Lines(path);
  try {
    const first = await lines.mark();
    if (!('gantry' in first) || first.gantry !== 'rows') throw damaged(`${path} is no dump`);
    for (;;) {
      const mark = await lines.mark();
      if ('end' in mark && mark.end === null) return;
      if (!('table' in mark)) throw damaged(`${path} is not whole`);
      const shape = {
        name: mark.table,
        columns: mark.columns.map(([name, type]) => ({ name, type })),
      };
      const rows = rowsUntilEnd(lines, shape);
      yield { shape, rows };
      for await (const _ of rows);
    }
  } finally {
    lines.close();
  }
}

async function* rowsUntilEnd(lines: Lines, shape: TableShape): AsyncGenerator<readonly Row[]> {
  const binary = shape.columns.flatMap(({ type }, at) => (type === 'bytes' ? [at] : []));
  let count = 0;
  for (;;) {
    const batch: Row[] = [];
    let end: Mark | undefined;
    for (const line of await lines.some()) {
      const value = JSON.parse(line) as Cell[] | Mark;
      if (!Array.isArray(value)) {
        end = value;
        break;
      }
      lines.took();
      for (const at of binary) {
        if (value[at] !== null) value[at] = Buffer.from(String(value[at]), 'base64');
      }
      batch.push(value);
    }
    count += batch.length;
    if (batch.length > 0) yield batch;
    if (!end) continue;
    lines.took();
    if (!('end' in end) || end.end !== shape.name || end.rows !== count) {
      throw damaged(`the rows of ${shape.name} are not whole`);
    }
    return;
  }
}

const newLine = 10;

/** The lines of a compressed file, by what one chunk of it holds. */
class Lines {
  readonly #path: string;
  readonly #source: Readable;
  readonly #chunks: AsyncIterator<Buffer>;
  #lines: string[] = [];
  #at = 0;
  #rest: Buffer[] = [];

  constructor(path: string) {
    this.#path = path;
    this.#source = createReadStream(path);
    const text = createGunzip({ chunkSize: 256 << 10 });
    this.#source.on('error', (error) => text.destroy(error));
    this.#chunks = this.#source.pipe(text)[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  }

  async mark(): Promise<Mark> {
    const [line] = await this.some();
    this.took();
    const value = JSON.parse(line!) as Mark;
    if (Array.isArray(value)) throw damaged(`${this.#path} is not whole`);
    return value;
  }

  /** Those at hand, one at least; they come again until they are taken. */
  async some(): Promise<readonly string[]> {
    while (this.#at >= this.#lines.length) await this.#read();
    return this.#at === 0 ? this.#lines : this.#lines.slice(this.#at);
  }

  took(): void {
    this.#at += 1;
  }

  close(): void {
    this.#source.destroy();
    void this.#chunks.return?.();
  }

  async #read(): Promise<void> {
    const { done, value } = await this.#chunks.next().catch((error: unknown) => {
      throw damaged(`${this.#path} cannot be read: ${(error as Error).message}`);
    });
    if (done) throw damaged(`${this.#path} ends early`);
    this.#lines = [];
    this.#at = 0;
    let from = 0;
    for (let at = value.indexOf(newLine); at >= 0; at = value.indexOf(newLine, from)) {
      const line = value.subarray(from, at);
      this.#lines.push(
        (this.#rest.length > 0 ? Buffer.concat([...this.#rest, line]) : line).toString(),
      );
      this.#rest = [];
      from = at + 1;
    }
    if (from < value.length) this.#rest.push(value.subarray(from));
  }
}

/** Makes the entries of a folder durable. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
