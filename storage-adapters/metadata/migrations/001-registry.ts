import type { ColumnDefinitionBuilder, Compilable, CreateTableBuilder } from 'kysely';
import type { Dialect } from '../database.ts';

type Column = 'text' | 'text?' | 'integer' | 'integer?' | 'bytes';

/** Teams to tags, and the outbox. */
export function registry(dialect: Dialect): Compilable[] {
  const db = dialect.builder;
  const table = (
    name: string,
    columns: Record<string, Column>,
    primaryKey: string[],
    options: { clustered?: boolean; references?: Record<string, string> } = {},
  ): Compilable => {
    let builder: CreateTableBuilder<string, string> = db.schema.createTable(name);
    for (const [column, type] of Object.entries(columns)) {
      const nullable = type.endsWith('?');
      const base = type.replace('?', '') as 'text' | 'integer' | 'bytes';
      builder = builder.addColumn(column, dialect[base], (c: ColumnDefinitionBuilder) => {
        const target = options.references?.[column];
        const referenced = target ? c.references(`${target}.id`) : c;
        return nullable ? referenced : referenced.notNull();
      });
    }
    builder = builder.addPrimaryKeyConstraint(`${name}_key`, primaryKey as [string]);
    return options.clustered && dialect.clustered ? builder.modifyEnd(dialect.clustered) : builder;
  };
  const unique = (name: string, on: string, columns: string[]): Compilable =>
    db.schema.createIndex(name).unique().on(on).columns(columns);
  const index = (name: string, on: string, columns: string[]): Compilable =>
    db.schema.createIndex(name).on(on).columns(columns);
  const clustered = { clustered: true };

  return [
    table('counters', { name: 'text', value: 'integer' }, ['name']),
    db.insertInto('counters').values({ name: 'auth', value: 1 }),
    table(
      'teams',
      { id: 'text', slug: 'text', name: 'text', plan: 'text', created_at: 'integer' },
      ['id'],
    ),
    unique('teams_by_slug', 'teams', ['slug']),
    table(
      'projects',
      {
        id: 'text',
        team_id: 'text',
        slug: 'text',
        settings: 'text',
        repository_count: 'integer',
        created_at: 'integer',
      },
      ['id'],
      { references: { team_id: 'teams' } },
    ),
    unique('projects_by_slug', 'projects', ['team_id', 'slug']),
    table('accounts', { id: 'text', name: 'text', created_at: 'integer' }, ['id']),
    unique('accounts_by_name', 'accounts', ['name']),
    table(
      'members',
      { team_id: 'text', account_id: 'text', role: 'text' },
      ['team_id', 'account_id'],
      { references: { team_id: 'teams', account_id: 'accounts' } },
    ),
    table(
      'tokens',
      {
        id: 'text',
        name: 'text',
        hash: 'text',
        team_id: 'text?',
        account_id: 'text?',
        scope: 'text',
        project_ids: 'text?',
        created_at: 'integer',
        expires_at: 'integer?',
        revoked_at: 'integer?',
        last_used_at: 'integer?',
      },
      ['id'],
      { references: { team_id: 'teams', account_id: 'accounts' } },
    ),
    unique('tokens_by_hash', 'tokens', ['hash']),
    index('tokens_by_team', 'tokens', ['team_id']),
    index('tokens_by_account', 'tokens', ['account_id']),
    table(
      'refresh_tokens',
      {
        id: 'text',
        hash: 'text',
        token_id: 'text?',
        credential: 'text',
        expires_at: 'integer',
        created_at: 'integer',
      },
      ['id'],
      { references: { token_id: 'tokens' } },
    ),
    unique('refresh_tokens_by_hash', 'refresh_tokens', ['hash']),
    index('refresh_tokens_by_expiry', 'refresh_tokens', ['expires_at']),
    table(
      'trust_policies',
      {
        id: 'text',
        team_id: 'text',
        name: 'text',
        issuer: 'text',
        audience: 'text?',
        claims: 'text',
        project_ids: 'text?',
        actions: 'text',
        created_at: 'integer',
      },
      ['id'],
      { references: { team_id: 'teams' } },
    ),
    unique('trust_policies_by_name', 'trust_policies', ['team_id', 'name']),
    index('trust_policies_by_issuer', 'trust_policies', ['issuer']),
    table(
      'keys',
      {
        id: 'text',
        purpose: 'text',
        wrapped: 'text',
        created_at: 'integer',
        retired_at: 'integer?',
      },
      ['id'],
    ),
    table(
      'repositories',
      {
        id: 'text',
        project_id: 'text',
        name: 'text',
        visibility: 'text',
        image_count: 'integer',
        tag_count: 'integer',
        event_sequence: 'integer',
        created_at: 'integer',
      },
      ['id'],
      { references: { project_id: 'projects' } },
    ),
    unique('repositories_by_name', 'repositories', ['project_id', 'name']),
    table(
      'blobs',
      { digest: 'text', key: 'text', size: 'integer', created_at: 'integer' },
      ['digest'],
      clustered,
    ),
    unique('blobs_by_key', 'blobs', ['key']),
    table(
      'blob_links',
      { repository_id: 'text', digest: 'text', linked_at: 'integer' },
      ['repository_id', 'digest'],
      { ...clustered, references: { repository_id: 'repositories' } },
    ),
    index('blob_links_by_digest', 'blob_links', ['digest']),
    table(
      'measures',
      {
        digest: 'text',
        compression: 'text',
        state: 'text',
        uncompressed_size: 'integer?',
        reason: 'text?',
      },
      ['digest', 'compression'],
      clustered,
    ),
    index('measures_by_state', 'measures', ['state']),
    table('manifest_contents', { digest: 'text', bytes: 'bytes' }, ['digest']),
    table(
      'manifests',
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
      },
      ['repository_id', 'digest'],
      { ...clustered, references: { repository_id: 'repositories' } },
    ),
    index('manifests_by_digest', 'manifests', ['digest']),
    index('manifests_by_subject', 'manifests', ['repository_id', 'subject', 'digest']),
    table(
      'manifest_references',
      { repository_id: 'text', digest: 'text', child: 'text', kind: 'text' },
      ['repository_id', 'digest', 'child', 'kind'],
      clustered,
    ),
    index('manifest_references_by_child', 'manifest_references', ['repository_id', 'child']),
    table(
      'tags',
      {
        repository_id: 'text',
        name: 'text',
        digest: 'text',
        created_at: 'integer',
        updated_at: 'integer',
        updated_by: 'text',
      },
      ['repository_id', 'name'],
      { ...clustered, references: { repository_id: 'repositories' } },
    ),
    index('tags_by_digest', 'tags', ['repository_id', 'digest']),
    table(
      'uploads',
      {
        id: 'text',
        repository_id: 'text',
        subject: 'text',
        algorithm: 'text',
        bytes_taken: 'integer',
        digest_so_far: 'text?',
        store_state: 'text',
        created_at: 'integer',
        expires_at: 'integer',
      },
      ['id'],
      { references: { repository_id: 'repositories' } },
    ),
    index('uploads_by_expiry', 'uploads', ['expires_at']),
    table('discarded_keys', { key: 'text', store_state: 'text?' }, ['key']),
    table(
      'outbox',
      {
        id: 'text',
        repository_id: 'text',
        sequence: 'integer',
        type: 'text',
        data: 'text',
        created_at: 'integer',
      },
      ['repository_id', 'sequence'],
      clustered,
    ),
  ];
}
