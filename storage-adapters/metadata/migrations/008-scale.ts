import type { Compilable } from 'kysely';
import type { Dialect } from '../database.ts';
import { tableBuilder } from './table-builder.ts';

/** What strangers see of a project with many repositories, the last pushed first: a range, not a search. */
export function scale(dialect: Dialect): Compilable[] {
  const { index } = tableBuilder(dialect);
  return [
    index('repositories_by_visible_push', 'repositories', [
      ...['project_id', 'visibility', 'pushed_at', 'name'],
    ]),
  ];
}
