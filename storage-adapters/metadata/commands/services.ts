import { refuse } from '../../../src/oci/errors.ts';
import { type Executor, query } from '../database.ts';
import type { FunctionSchema } from '../schema-functions.ts';
import { toService } from '../stores/services.ts';
import type { Command } from './command.ts';

type Row = FunctionSchema['services'];

const insert = query<Row>((db, p) =>
  db
    .insertInto('services')
    .values({
      id: p('id'),
      project_id: p('project_id'),
      name: p('name'),
      repository_id: p('repository_id'),
      settings: p('settings'),
      version: p('version'),
      paused: p('paused'),
      created_at: p('created_at'),
      updated_at: p('updated_at'),
      updated_by: p('updated_by'),
    })
    .onConflict((c) => c.doNothing()),
);
const find = query<{ id: string }, Row>((db, p) =>
  db.selectFrom('services').selectAll().where('id', '=', p('id')),
);
const ofRepository = query<{ repository: string }, Row>((db, p) =>
  db.selectFrom('services').selectAll().where('repository_id', '=', p('repository')),
);
const named = query<{ project: string; name: string }, Row>((db, p) =>
  db
    .selectFrom('services')
    .selectAll()
    .where('project_id', '=', p('project'))
    .where('name', '=', p('name')),
);
const update = query<Row>((db, p) =>
  db
    .updateTable('services')
    .set({
      repository_id: p('repository_id'),
      settings: p('settings'),
      version: p('version'),
      paused: p('paused'),
      updated_at: p('updated_at'),
      updated_by: p('updated_by'),
    })
    .where('id', '=', p('id')),
);
const bind = query<{ id: string; repository: string }>((db, p) =>
  db
    .updateTable('services')
    .set({ repository_id: p('repository') })
    .where('id', '=', p('id')),
);
const remove = query<{ id: string }>((db, p) =>
  db.deleteFrom('services').where('id', '=', p('id')),
);
const repositoryIn = query<{ repository: string; project: string }, { id: string }>((db, p) =>
  db
    .selectFrom('repositories')
    .select('id')
    .where('id', '=', p('repository'))
    .where('project_id', '=', p('project')),
);
const setRewritesQuery = query<{ project: string; rewrites: string }>((db, p) =>
  db
    .updateTable('projects')
    .set((e) => ({
      rewrites: p('rewrites'),
      rewrites_version: e('rewrites_version', '+', 1),
    }))
    .where('id', '=', p('project')),
);
const rewritesVersion = query<{ project: string }, { rewrites_version: number }>((db, p) =>
  db.selectFrom('projects').select('rewrites_version').where('id', '=', p('project')),
);
const project = query<{ id: string }, { id: string }>((db, p) =>
  db.selectFrom('projects').select('id').where('id', '=', p('id')),
);

export const createService: Command<'CreateService'> = async (tx, args) => {
  if (!(await project.get(tx, { id: args.projectId }))) {
    throw refuse('not-found', 'There is no such project.');
  }
  if (args.repositoryId !== undefined) {
    await requireFree(tx, args.repositoryId, args.projectId, args.id);
  }
  const made = await insertService(tx, { ...args, repositoryId: args.repositoryId ?? null });
  if (!made) {
    throw refuse(
      'conflict',
      `The project has a service named "${args.name}" already.`,
      'Change that one, or choose another name.',
    );
  }
  return null;
};

export const updateService: Command<'UpdateService'> = async (tx, args) => {
  const row = await find.get(tx, { id: args.id });
  if (!row) throw refuse('not-found', 'There is no such service.');
  if (args.version !== undefined && args.version !== row.version) {
    throw refuse(
      'precondition-failed',
      `The service was changed meanwhile: it has version ${row.version}, not ${args.version}.`,
      'Read it again, and send the change with its new version.',
    );
  }
  if (args.repositoryId) await requireFree(tx, args.repositoryId, row.project_id, row.id);
  const changed: Row = {
    ...row,
    repository_id: args.repositoryId === undefined ? row.repository_id : args.repositoryId,
    settings: args.settings ? JSON.stringify(args.settings) : row.settings,
    paused: args.paused === undefined ? row.paused : args.paused ? 1 : 0,
    version: row.version + 1,
    updated_at: args.now,
    updated_by: args.actor,
  };
  await update.run(tx, changed);
  return toService(changed);
};

export const deleteService: Command<'DeleteService'> = async (tx, { id }) => {
  if ((await remove.run(tx, { id })) === 0) {
    throw refuse('not-found', 'There is no such service.');
  }
  return null;
};

export const setRewrites: Command<'SetRewrites'> = async (tx, args) => {
  const rewrites = JSON.stringify(args.rewrites);
  await setRewritesQuery.run(tx, { project: args.projectId, rewrites });
  const row = await rewritesVersion.get(tx, { project: args.projectId });
  if (!row) throw refuse('not-found', 'There is no such project.');
  return { version: row.rewrites_version };
};

/**
 * The service that pushes to the repository deploy: the one that is bound to it; else the one of that name, where
 * it is bound to none yet; else a new one, where `newService` is given. Undefined: none.
 */
export async function serviceOfPush(
  tx: Executor,
  push: {
    repositoryId: string;
    projectId: string;
    newService: { id: string; name: string } | undefined;
    actor: string;
    now: number;
  },
): Promise<{ id: string; name: string } | undefined> {
  const bound = await ofRepository.get(tx, { repository: push.repositoryId });
  if (bound) return bound;
  const { newService, projectId, actor, now } = push;
  if (!newService) return undefined;
  const held = await named.get(tx, { project: projectId, name: newService.name });
  if (held) {
    if (held.repository_id !== null) return undefined;
    await bind.run(tx, { id: held.id, repository: push.repositoryId });
    return held;
  }
  const row = { ...newService, projectId, repositoryId: push.repositoryId, settings: {} };
  await insertService(tx, { ...row, actor, now });
  return newService;
}

async function insertService(
  tx: Executor,
  service: {
    id: string;
    projectId: string;
    name: string;
    repositoryId: string | null;
    settings: object;
    actor: string;
    now: number;
  },
): Promise<boolean> {
  const inserted = await insert.run(tx, {
    id: service.id,
    project_id: service.projectId,
    name: service.name,
    repository_id: service.repositoryId,
    settings: JSON.stringify(service.settings),
    version: 1,
    paused: 0,
    created_at: service.now,
    updated_at: service.now,
    updated_by: service.actor,
  });
  return inserted > 0;
}

async function requireFree(
  tx: Executor,
  repository: string,
  projectId: string,
  own: string,
): Promise<void> {
  if (!(await repositoryIn.get(tx, { repository, project: projectId }))) {
    throw refuse('not-found', 'The project has no such repository.');
  }
  const held = await ofRepository.get(tx, { repository });
  if (held && held.id !== own) {
    throw refuse(
      'conflict',
      `Pushes to the repository deploy the service "${held.name}" already.`,
      'Unbind it from that service first, or push to another repository.',
    );
  }
}
