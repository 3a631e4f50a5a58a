import { type Compilable, sql } from 'kysely';
import type { Dialect } from '../database.ts';
import { tableBuilder } from './table-builder.ts';

/**
 * Who claims a domain and has to prove it (what leads somewhere is a row of function_hosts, as before), and how large a
 * disk volume may be.
 */
export function domains(dialect: Dialect): Compilable[] {
  const { table, index } = tableBuilder(dialect);
  return [
    table(
      'domain_claims',
      {
        host: 'text',
        project_id: 'text',
        environment: 'text',
        name: 'text',
        service: 'text?',
        token: 'text',
        state: 'text',
        message: 'text?',
        created_at: 'integer',
        checked_at: 'integer?',
      },
      ['host', 'project_id'],
      { references: { project_id: 'projects' } },
    ),
    index('domain_claims_by_state', 'domain_claims', ['state', 'checked_at']),
    dialect.builder.schema
      .alterTable('function_volumes')
      .addColumn('max_bytes', sql.raw(dialect.integer)),
  ];
}
