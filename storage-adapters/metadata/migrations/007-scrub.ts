import { type Compilable, sql } from 'kysely';
import type { Dialect } from '../database.ts';
import { tableBuilder } from './table-builder.ts';

/** What collections took away; when each blob was last read anew, and what was found wrong. Blobs of before are read first. */
export function scrub(dialect: Dialect): Compilable[] {
  const { table, index } = tableBuilder(dialect);
  const { integer } = dialect;
  const addColumn = (column: string, type: string): Compilable =>
    dialect.builder.schema.alterTable('blobs').addColumn(column, sql.raw(type));
  return [
    addColumn('verified_at', `${integer} not null default 0`),
    addColumn('quarantined_at', integer),
    index('blobs_by_verification', 'blobs', ['verified_at', 'digest']),
    table(
      'blob_faults',
      {
        digest: 'text',
        key: 'text',
        kind: 'text',
        reason: 'text',
        size: 'integer',
        found_at: 'integer',
        seen_at: 'integer',
      },
      ['digest'],
    ),
    table('damaged_manifests', { digest: 'text', bytes: 'bytes', found_at: 'integer' }, ['digest']),
    table(
      'scrub_runs',
      {
        id: 'text',
        repository_id: 'text?',
        repository: 'text?',
        actor: 'text',
        state: 'text',
        started_at: 'integer',
        ended_at: 'integer?',
        total_blobs: 'integer',
        total_bytes: 'integer',
        blobs: 'integer',
        bytes: 'integer',
        quarantined: 'integer',
        repaired: 'integer',
        unreadable: 'integer',
        manifests: 'integer',
      },
      ['id'],
    ),
    table(
      'collection_runs',
      {
        id: 'text',
        started_at: 'integer',
        ended_at: 'integer',
        links: 'integer',
        blobs: 'integer',
        bytes: 'integer',
      },
      ['id'],
    ),
    table('scrub_state', { name: 'text', value: 'text' }, ['name']),
  ];
}
