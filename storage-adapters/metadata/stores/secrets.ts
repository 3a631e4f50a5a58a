import type { Selectable } from 'kysely';
import type { Secret, Secrets, Variable, Variables } from '../../../src/ports/secrets.ts';
import { type Executor, query, then } from '../database.ts';
import type { ManagementSchema } from '../schema-management.ts';

type SecretRow = ManagementSchema['secrets'];
type VariableRow = Selectable<ManagementSchema['environment_variables']>;

const secrets = query<{ project: string; after: string; limit: number }, SecretRow>((db, p) =>
  db
    .selectFrom('secrets')
    .selectAll()
    .where('project_id', '=', p('project'))
    .where('name', '>', p('after'))
    .orderBy('name')
    .limit(p('limit')),
);
const secret = query<{ project: string; name: string }, SecretRow>((db, p) =>
  db
    .selectFrom('secrets')
    .selectAll()
    .where('project_id', '=', p('project'))
    .where('name', '=', p('name')),
);
const secretsNamed = query<{ project: string; names: string }, SecretRow>((db, p, dialect) =>
  db
    .selectFrom('secrets')
    .selectAll()
    .where('project_id', '=', p('project'))
    .where('name', 'in', (e) =>
      e.selectFrom(dialect.elements(p('names')).as('wanted')).select('wanted.value'),
    ),
);
interface VariablesArgs {
  project: string;
  environment: string;
  after: string;
  limit: number;
}
const variables = query<VariablesArgs, VariableRow>((db, p) =>
  db
    .selectFrom('environment_variables')
    .selectAll()
    .where('project_id', '=', p('project'))
    .where('environment', '=', p('environment'))
    .where('name', '>', p('after'))
    .orderBy('name')
    .limit(p('limit')),
);
const variable = query<{ project: string; environment: string; name: string }, VariableRow>(
  (db, p) =>
    db
      .selectFrom('environment_variables')
      .selectAll()
      .where('project_id', '=', p('project'))
      .where('environment', '=', p('environment'))
      .where('name', '=', p('name')),
);

const toSecret = (row: SecretRow): Secret => ({
  name: row.name,
  version: row.version,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
  updatedBy: row.updated_by,
});
const toVariable = (row: VariableRow): Variable => ({
  name: row.name,
  sealed: row.sealed,
  version: row.version,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
  updatedBy: row.updated_by,
});

export function secretsStore(db: Executor): Secrets {
  return {
    page: (project, after = '', limit) =>
      then(secrets.all(db, { project, after, limit }), (rows) => rows.map(toSecret)),
    find: (project, name) =>
      then(
        secret.get(db, { project, name }),
        (row) => row && { ...toSecret(row), sealed: row.sealed },
      ),
    findMany: (project, names) =>
      then(secretsNamed.all(db, { project, names: JSON.stringify(names) }), (rows) =>
        rows.map((row) => ({ ...toSecret(row), sealed: row.sealed })),
      ),
  };
}

export function variablesStore(db: Executor): Variables {
  return {
    page: ({ projectId: project, environment }, after = '', limit) =>
      then(variables.all(db, { project, environment, after, limit }), (rows) =>
        rows.map(toVariable),
      ),
    find: (project, environment, name) =>
      then(variable.get(db, { project, environment, name }), (row) => row && toVariable(row)),
  };
}
