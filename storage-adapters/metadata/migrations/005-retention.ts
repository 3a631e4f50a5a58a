import { type Compilable, sql } from 'kysely';
import type { Dialect } from '../database.ts';
import { tableBuilder } from './table-builder.ts';

/** Rules for tags and images, what tags pointed at, and what was deleted and can come back. */
export function retention(dialect: Dialect): Compilable[] {
  const db = dialect.builder;
  const { table, index } = tableBuilder(dialect);
  const clustered = { clustered: true };
  const addColumn = (on: string, column: string, type: string): Compilable =>
    db.schema.alterTable(on).addColumn(column, sql.raw(type));
  return [
    addColumn('projects', 'rules', `${dialect.text} not null default '{}'`),
    addColumn('repositories', 'rules', `${dialect.text} not null default '{}'`),
    addColumn('manifests', 'pulled_at', dialect.integer),
    table(
      'tag_history',
      {
        repository_id: 'text',
        name: 'text',
        sequence: 'integer',
        action: 'text',
        digest: 'text',
        at: 'integer',
        actor: 'text',
      },
      ['repository_id', 'name', 'sequence'],
      { ...clustered, references: { repository_id: 'repositories' } },
    ),
    {
      compile: () =>
        sql
          .raw(
            `insert into tag_history (repository_id, name, sequence, action, digest, at, actor)
             select repository_id, name, 1, 'set', digest, updated_at, updated_by from tags`,
          )
          .compile(db),
    },
    table(
      'deleted_manifests',
      {
        repository_id: 'text',
        digest: 'text',
        media_type: 'text',
        size: 'integer',
        image_size: 'integer',
        platform: 'text?',
        artifact_type: 'text?',
        annotations: 'text?',
        subject: 'text?',
        pushed_at: 'integer',
        pushed_by: 'text',
        parts: 'text',
        tags: 'text',
        deleted_at: 'integer',
        deleted_by: 'text',
        expires_at: 'integer',
        bytes: 'bytes',
      },
      ['repository_id', 'digest'],
      { references: { repository_id: 'repositories' } },
    ),
    index('deleted_manifests_by_time', 'deleted_manifests', [
      'repository_id',
      'deleted_at',
      'digest',
    ]),
    index('deleted_manifests_by_expiry', 'deleted_manifests', ['expires_at']),
  ];
}
