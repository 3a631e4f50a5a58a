import { refuse } from '../../../src/oci/errors.ts';
import { type Executor, query } from '../database.ts';
import type { Command } from './command.ts';

/** Of secrets in a project, and of variables in an environment of one. */
const most = 1000;

interface SecretPlace {
  projectId: string;
  name: string;
}
interface NewSecret extends SecretPlace {
  id: string;
  sealed: string;
  actor: string;
  now: number;
}
const findSecret = query<SecretPlace, { version: number }>((db, p) =>
  db
    .selectFrom('secrets')
    .select('version')
    .where('project_id', '=', p('projectId'))
    .where('name', '=', p('name')),
);
const insertSecret = query<NewSecret>((db, p) =>
  db.insertInto('secrets').values({
    id: p('id'),
    project_id: p('projectId'),
    name: p('name'),
    sealed: p('sealed'),
    version: 1,
    created_at: p('now'),
    updated_at: p('now'),
    updated_by: p('actor'),
  }),
);
const updateSecret = query<NewSecret>((db, p) =>
  db
    .updateTable('secrets')
    .set((e) => ({
      sealed: p('sealed'),
      version: e('version', '+', 1),
      updated_at: p('now'),
      updated_by: p('actor'),
    }))
    .where('project_id', '=', p('projectId'))
    .where('name', '=', p('name')),
);
const removeSecret = query<SecretPlace>((db, p) =>
  db.deleteFrom('secrets').where('project_id', '=', p('projectId')).where('name', '=', p('name')),
);
const countSecrets = query<{ projectId: string }, { count: number }>((db, p) =>
  db
    .selectFrom('secrets')
    .select((e) => e.fn.countAll<number>().as('count'))
    .where('project_id', '=', p('projectId')),
);

interface VariablePlace extends SecretPlace {
  environment: string;
}
interface NewVariable extends VariablePlace {
  sealed: string;
  actor: string;
  now: number;
}
const insertVariable = query<NewVariable>((db, p) =>
  db
    .insertInto('environment_variables')
    .values({
      project_id: p('projectId'),
      environment: p('environment'),
      name: p('name'),
      sealed: p('sealed'),
      created_at: p('now'),
      updated_at: p('now'),
      updated_by: p('actor'),
    })
    .onConflict((c) => c.columns(['project_id', 'environment', 'name']).doNothing()),
);
const updateVariable = query<NewVariable>((db, p) =>
  db
    .updateTable('environment_variables')
    .set((e) => ({
      sealed: p('sealed'),
      version: e('version', '+', 1),
      updated_at: p('now'),
      updated_by: p('actor'),
    }))
    .where('project_id', '=', p('projectId'))
    .where('environment', '=', p('environment'))
    .where('name', '=', p('name')),
);
const removeVariable = query<VariablePlace>((db, p) =>
  db
    .deleteFrom('environment_variables')
    .where('project_id', '=', p('projectId'))
    .where('environment', '=', p('environment'))
    .where('name', '=', p('name')),
);
const countVariables = query<Omit<VariablePlace, 'name'>, { count: number }>((db, p) =>
  db
    .selectFrom('environment_variables')
    .select((e) => e.fn.countAll<number>().as('count'))
    .where('project_id', '=', p('projectId'))
    .where('environment', '=', p('environment')),
);
const project = query<{ id: string }, { id: string }>((db, p) =>
  db.selectFrom('projects').select('id').where('id', '=', p('id')),
);

export const putSecret: Command<'PutSecret'> = async (tx, args) => {
  const found = await findSecret.get(tx, args);
  if (found) {
    await updateSecret.run(tx, args);
    return { created: false, version: found.version + 1 };
  }
  await requireProject(tx, args.projectId);
  const held = await countSecrets.get(tx, { projectId: args.projectId });
  if (Number(held?.count) >= most) throw tooMany('The project has', 'secrets');
  await insertSecret.run(tx, args);
  return { created: true, version: 1 };
};

export const deleteSecret: Command<'DeleteSecret'> = async (tx, args) => {
  if ((await removeSecret.run(tx, args)) === 0) {
    throw refuse('not-found', 'The project has no such secret.');
  }
  return null;
};

export const putVariable: Command<'PutVariable'> = async (tx, args) => {
  if ((await updateVariable.run(tx, args)) > 0) return { created: false };
  await requireProject(tx, args.projectId);
  const held = await countVariables.get(tx, args);
  if (Number(held?.count) >= most) throw tooMany('The environment has', 'variables');
  await insertVariable.run(tx, args);
  return { created: true };
};

export const deleteVariable: Command<'DeleteVariable'> = async (tx, args) => {
  if ((await removeVariable.run(tx, args)) === 0) {
    throw refuse('not-found', 'The environment has no such variable.');
  }
  return null;
};

async function requireProject(tx: Executor, id: string): Promise<void> {
  if (!(await project.get(tx, { id }))) throw refuse('not-found', 'There is no such project.');
}

function tooMany(where: string, what: string) {
  return refuse(
    'quota',
    `${where} ${most} ${what}, and takes no more.`,
    'Delete what is not needed.',
  );
}
