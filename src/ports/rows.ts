import type { Damage } from './scrub.ts';

/** Whole databases as rows: what a backup reads and a restore writes. The same over all dialects. */

export type ColumnType = 'text' | 'integer' | 'bytes';

export interface TableShape {
  readonly name: string;
  readonly columns: readonly { readonly name: string; readonly type: ColumnType }[];
}

/** Integers are whole and within 2^53. */
export type Cell = string | number | Uint8Array | null;

/** In the order of the columns. */
export type Row = readonly Cell[];

export interface TableRows {
  readonly shape: TableShape;
  /** In batches of at most a few MiB; to be read once, and before the next table's. */
  readonly rows: AsyncIterable<readonly Row[]>;
}

/** All facts as they stood at one moment, however long the reading takes and whatever is written meanwhile. */
export interface Snapshot {
  /** Of the schema. */
  readonly version: number;
  /** All but the list of migrations; a table comes after those that it refers to. */
  readonly tables: readonly TableShape[];
  rows(table: TableShape): AsyncIterable<readonly Row[]>;
  close(): Promise<void>;
}

/** What becomes of facts that held where they were, but not where they go. */
export interface Settlement {
  /** `moved`: the same installation goes on. `restored`: it may have gone on after the facts were read. */
  readonly as: 'moved' | 'restored';
  /** The blob store is the one that the facts were read beside: what waits to be removed there still does. */
  readonly sameStore: boolean;
  /** UTC milliseconds. */
  readonly now: number;
  /** Of the moment of the facts. */
  readonly takenAt: number;
  /** For the audit log: where the facts came from. */
  readonly from: string;
  /** Blobs, by digest, whose bytes did not come along: quarantined, so that a push brings them back. */
  readonly lost: ReadonlyMap<string, Damage>;
  /** Keys in the store that no fact names: they are removed. */
  readonly strays: readonly string[];
  /** Of a restore: tokens of teams and accounts are revoked, all that there are. */
  readonly revokeTokens?: boolean;
}

/** A database without tables, which this process alone fills. */
export interface EmptyDatabase {
  /** Makes something and takes it back. Rejects with `denied` where this user may make no tables. */
  tryOut(): Promise<void>;
  /**
   * Writes everything in one transaction, then brings it to this program's schema: after a crash there is all
   * or nothing. Rejects with `conflict` where the database has tables by now.
   */
  fill(version: number, tables: AsyncIterable<TableRows>, settlement: Settlement): Promise<void>;
  close(): Promise<void>;
}
