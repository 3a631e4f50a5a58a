import { DatabaseSync } from 'node:sqlite';
import { refuse } from '../../../src/oci/errors.ts';
import type { ColumnType, TableShape } from '../../../src/ports/rows.ts';
import { SqliteExecutor } from '../dialects/sqlite.ts';
import { migrate, schemaVersion } from '../migrations/migrate.ts';

const types: Readonly<Record<string, ColumnType>> = {
  text: 'text',
  integer: 'integer',
  blob: 'bytes',
};

/**
 * The tables that the migrations up to `version` make, in any dialect: they are run on an empty database in
 * memory, so that no list has to be kept. A table comes after those that it refers to; the list of migrations
 * itself is left out. Throws `conflict` where the version is newer than the program's.
 */
export async function shapesOf(version: number): Promise<TableShape[]> {
  if (version > schemaVersion) {
    throw refuse(
      'conflict',
      `The schema version is ${version}, newer than this program's ${schemaVersion}.`,
      'Use the program that made it, or a newer one.',
    );
  }
  const db = new DatabaseSync(':memory:');
  try {
    await migrate(new SqliteExecutor(db), 0, version);
    return sorted(db, namesOf(db)).map((name) => ({ name, columns: columnsOf(db, name) }));
  } finally {
    db.close();
  }
}

function namesOf(db: DatabaseSync): string[] {
  const rows = db
    .prepare("select name from sqlite_schema where type = 'table' and name not like 'sqlite_%'")
    .all() as { name: string }[];
  return rows.map(({ name }) => name).filter((name) => name !== 'migrations');
}

function columnsOf(db: DatabaseSync, table: string): TableShape['columns'] {
  const rows = db.prepare('select name, type from pragma_table_info(?)').all(table) as {
    name: string;
    type: string;
  }[];
  return rows.map(({ name, type }) => {
    const known = types[type.toLowerCase()];
    if (!known) throw refuse('internal', `The column ${table}.${name} is of type ${type}.`);
    return { name, type: known };
  });
}

/** By name, but never before one that it refers to. */
function sorted(db: DatabaseSync, names: readonly string[]): string[] {
  const targets = db.prepare('select "table" as target from pragma_foreign_key_list(?)');
  const order: string[] = [];
  const visit = (name: string, path: readonly string[]): void => {
    if (order.includes(name)) return;
    if (path.includes(name)) throw refuse('internal', `The table ${name} refers to itself.`);
    for (const { target } of targets.all(name) as { target: string }[]) {
      visit(target, [...path, name]);
    }
    order.push(name);
  };
  for (const name of [...names].sort()) visit(name, []);
  return order;
}

export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

export function selectOf({ name, columns }: TableShape): string {
  return `select ${columns.map((column) => quoted(column.name)).join(', ')} from ${quoted(name)}`;
}
