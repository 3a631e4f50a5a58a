import type { Compilable } from 'kysely';
import type { Dialect } from '../database.ts';
import { tableBuilder } from './table-builder.ts';

/** Volumes that were deleted: where one is found with a container engine, what it holds is to go. */
export function removedVolumes(dialect: Dialect): Compilable[] {
  const { table, index } = tableBuilder(dialect);
  return [
    table('removed_volumes', { id: 'text', project_id: 'text?', removed_at: 'integer' }, ['id']),
    index('removed_volumes_by_time', 'removed_volumes', ['removed_at']),
  ];
}
