import { type Compilable, sql } from 'kysely';
import type { Dialect } from '../database.ts';
import { tableBuilder } from './table-builder.ts';

/** Events, webhooks, audit, secrets, signing in, and what the API counts. */
export function management(dialect: Dialect): Compilable[] {
  const db = dialect.builder;
  const { table, unique, index } = tableBuilder(dialect);
  const clustered = { clustered: true };
  const statement = (text: string): Compilable => ({ compile: () => sql.raw(text).compile(db) });
  const addColumn = (on: string, column: string, type: string): Compilable =>
    db.schema.alterTable(on).addColumn(column, sql.raw(type));
  const { integer, text } = dialect;

  return [
    addColumn('teams', 'event_sequence', `${integer} not null default 0`),
    addColumn('accounts', 'email', text),
    addColumn('accounts', 'operator', `${integer} not null default 0`),
    addColumn('projects', 'stored_bytes', `${integer} not null default 0`),
    addColumn('repositories', 'stored_bytes', `${integer} not null default 0`),
    addColumn('repositories', 'pushed_at', `${integer} not null default 0`),
    addColumn('repositories', 'pulled_at', integer),
    index('repositories_by_push', 'repositories', ['project_id', 'pushed_at', 'name']),
    index('repositories_by_visibility', 'repositories', ['project_id', 'visibility', 'name']),
    index('tags_by_date', 'tags', ['repository_id', 'updated_at', 'name']),
    index('manifests_by_date', 'manifests', ['repository_id', 'pushed_at', 'digest']),
    db.schema.alterTable('outbox').renameColumn('repository_id', 'stream_id'),
    addColumn('outbox', 'team_id', `${text} not null default ''`),
    addColumn('outbox', 'project_id', text),
    addColumn('outbox', 'subject', `${text} not null default ''`),
    statement(
      "update outbox set (team_id, project_id, subject) = (select t.id, p.id, t.slug || '/' || p.slug || '/' || r.name " +
        'from repositories r join projects p on p.id = r.project_id join teams t on t.id = p.team_id ' +
        'where r.id = outbox.stream_id)',
    ),
    db.insertInto('counters').values({ name: 'events', value: 0 }),
    table(
      'events',
      {
        position: 'integer',
        id: 'text',
        stream_id: 'text',
        sequence: 'integer',
        type: 'text',
        team_id: 'text',
        project_id: 'text?',
        subject: 'text',
        data: 'text',
        created_at: 'integer',
      },
      ['position'],
    ),
    unique('events_by_stream', 'events', ['stream_id', 'sequence']),
    index('events_by_team', 'events', ['team_id', 'position']),
    table(
      'webhooks',
      {
        id: 'text',
        team_id: 'text',
        project_id: 'text?',
        name: 'text',
        url: 'text',
        types: 'text?',
        sealed_secret: 'text',
        enabled: 'integer',
        created_at: 'integer',
        created_by: 'text',
        updated_at: 'integer',
      },
      ['id'],
    ),
    unique('webhooks_by_name', 'webhooks', ['team_id', 'name']),
    table(
      'webhook_deliveries',
      {
        id: 'text',
        webhook_id: 'text',
        event_id: 'text',
        event_position: 'integer',
        stream_id: 'text',
        sequence: 'integer',
        type: 'text',
        state: 'text',
        attempts: 'integer',
        next_at: 'integer',
        last_status: 'integer?',
        last_error: 'text?',
        created_at: 'integer',
        done_at: 'integer?',
      },
      ['id'],
    ),
    index('webhook_deliveries_by_stream', 'webhook_deliveries', [
      'webhook_id',
      'stream_id',
      'state',
      'event_position',
    ]),
    index('webhook_deliveries_by_time', 'webhook_deliveries', ['state', 'next_at']),
    index('webhook_deliveries_by_webhook', 'webhook_deliveries', [
      'webhook_id',
      'event_position',
      'id',
    ]),
    index('webhook_deliveries_by_state', 'webhook_deliveries', [
      'webhook_id',
      'state',
      'event_position',
      'id',
    ]),
    index('webhook_deliveries_by_end', 'webhook_deliveries', ['done_at']),
    table(
      'webhook_attempts',
      {
        id: 'text',
        delivery_id: 'text',
        started_at: 'integer',
        duration_ms: 'integer',
        status: 'integer?',
        error: 'text?',
        response: 'text?',
      },
      ['id'],
    ),
    index('webhook_attempts_by_delivery', 'webhook_attempts', ['delivery_id', 'id']),
    table(
      'audit',
      {
        id: 'text',
        at: 'integer',
        team_id: 'text?',
        project_id: 'text?',
        actor_id: 'text',
        actor: 'text',
        actor_kind: 'text',
        address: 'text?',
        action: 'text',
        target: 'text?',
        result: 'text',
        reason: 'text?',
        request_id: 'text?',
      },
      ['id'],
    ),
    // What a team was called before: nobody else's for a while.
    table('held_slugs', { slug: 'text', team_id: 'text', until: 'integer' }, ['slug'], {
      references: { team_id: 'teams' },
    }),
    index('audit_by_team', 'audit', ['team_id', 'at', 'id']),
    index('audit_by_time', 'audit', ['at', 'id']),
    table(
      'secrets',
      {
        id: 'text',
        project_id: 'text',
        name: 'text',
        sealed: 'text',
        version: 'integer',
        created_at: 'integer',
        updated_at: 'integer',
        updated_by: 'text',
      },
      ['id'],
      { references: { project_id: 'projects' } },
    ),
    unique('secrets_by_name', 'secrets', ['project_id', 'name']),
    table(
      'environment_variables',
      {
        project_id: 'text',
        environment: 'text',
        name: 'text',
        sealed: 'text',
        created_at: 'integer',
        updated_at: 'integer',
        updated_by: 'text',
      },
      ['project_id', 'environment', 'name'],
      { ...clustered, references: { project_id: 'projects' } },
    ),
    table(
      'sign_ins',
      {
        issuer: 'text',
        subject: 'text',
        account_id: 'text',
        created_at: 'integer',
        last_at: 'integer',
      },
      ['issuer', 'subject'],
      { references: { account_id: 'accounts' } },
    ),
    table(
      'sessions',
      {
        id: 'text',
        hash: 'text',
        account_id: 'text?',
        token_id: 'text?',
        address: 'text?',
        user_agent: 'text?',
        created_at: 'integer',
        last_seen_at: 'integer',
        expires_at: 'integer',
      },
      ['id'],
      { references: { account_id: 'accounts', token_id: 'tokens' } },
    ),
    unique('sessions_by_hash', 'sessions', ['hash']),
    index('sessions_by_account', 'sessions', ['account_id']),
    index('sessions_by_expiry', 'sessions', ['expires_at']),
    index('sessions_by_token', 'sessions', ['token_id']),
    index('sign_ins_by_account', 'sign_ins', ['account_id']),
    table(
      'issued_tokens',
      {
        id: 'text',
        hash: 'text',
        team_id: 'text',
        name: 'text',
        credential: 'text',
        project_ids: 'text?',
        actions: 'text?',
        created_at: 'integer',
        expires_at: 'integer',
        revoked_at: 'integer?',
      },
      ['id'],
      { references: { team_id: 'teams' } },
    ),
    unique('issued_tokens_by_hash', 'issued_tokens', ['hash']),
    index('issued_tokens_by_team', 'issued_tokens', ['team_id', 'id']),
    index('issued_tokens_by_expiry', 'issued_tokens', ['expires_at']),
    table(
      'idempotency',
      {
        key: 'text',
        request_hash: 'text',
        status: 'integer?',
        sealed_answer: 'text?',
        created_at: 'integer',
      },
      ['key'],
    ),
    index('idempotency_by_time', 'idempotency', ['created_at']),
    table(
      'transfer',
      {
        project_id: 'text',
        month: 'text',
        pulled_bytes: 'integer',
        pushed_bytes: 'integer',
      },
      ['project_id', 'month'],
      { references: { project_id: 'projects' } },
    ),
    // What was stored before there was a count.
    statement(
      'update repositories set stored_bytes = coalesce((select sum(b.size) from blob_links l ' +
        'join blobs b on b.digest = l.digest where l.repository_id = repositories.id), 0), ' +
        'pushed_at = coalesce((select max(m.pushed_at) from manifests m where m.repository_id = repositories.id), 0)',
    ),
    statement(
      'update projects set stored_bytes = coalesce((select sum(r.stored_bytes) from repositories r ' +
        'where r.project_id = projects.id), 0)',
    ),
  ];
}
