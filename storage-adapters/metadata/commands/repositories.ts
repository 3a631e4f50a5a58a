import { refuse } from '../../../src/oci/errors.ts';
import type { Visibility } from '../../../src/ports/repositories.ts';
import { query } from '../database.ts';
import { removedProject } from '../removed-place.ts';
import { bumpAuthEpoch, type Command } from './command.ts';
import { emit } from './outbox.ts';

const find = query<
  { project: string; name: string },
  { id: string; team_id: string; visibility: string }
>((db, p) =>
  db
    .selectFrom('repositories as r')
    .innerJoin('projects as p', 'p.id', 'r.project_id')
    .select(['r.id', 'p.team_id', 'r.visibility'])
    .where('r.project_id', '=', p('project'))
    .where('r.name', '=', p('name')),
);
const project = query<{ id: string }, { team_id: string; repository_count: number }>((db, p) =>
  db.selectFrom('projects').select(['team_id', 'repository_count']).where('id', '=', p('id')),
);
const insert = query<{
  id: string;
  project: string;
  name: string;
  visibility: string;
  now: number;
}>((db, p) =>
  db.insertInto('repositories').values({
    id: p('id'),
    project_id: p('project'),
    name: p('name'),
    visibility: p('visibility'),
    image_count: 0,
    tag_count: 0,
    event_sequence: 0,
    stored_bytes: 0,
    pushed_at: 0,
    pulled_at: null,
    created_at: p('now'),
  }),
);
const count = query<{ project: string }>((db, p) =>
  db
    .updateTable('projects')
    .set((e) => ({ repository_count: e('repository_count', '+', 1) }))
    .where('id', '=', p('project')),
);
const setVisibilityQuery = query<{ repositoryId: string; visibility: string }>((db, p) =>
  db
    .updateTable('repositories')
    .set({ visibility: p('visibility') })
    .where('id', '=', p('repositoryId'))
    .where('project_id', '!=', removedProject),
);

const touch = query<{ id: string; at: number }>((db, p) =>
  db
    .updateTable('repositories')
    .set({ pulled_at: p('at') })
    .where('id', '=', p('id'))
    .where((e) => e.or([e('pulled_at', 'is', null), e('pulled_at', '<', p('at'))])),
);

export const ensureRepository: Command<'EnsureRepository'> = async (tx, args) => {
  const common = { projectId: args.projectId, name: args.name };
  const existing = await find.get(tx, { project: args.projectId, name: args.name });
  if (existing) {
    return {
      ...common,
      id: existing.id,
      teamId: existing.team_id,
      visibility: existing.visibility as Visibility,
    };
  }
  const owner = await project.get(tx, { id: args.projectId });
  if (!owner) throw refuse('name-unknown', 'There is no such project.');
  const limit = args.limits.repositories;
  if (limit !== undefined && owner.repository_count >= limit) {
    throw refuse(
      'quota',
      `The project holds ${owner.repository_count} repositories, and the ${args.limits.plan} plan allows ${limit}.`,
      'Delete a repository that is not needed, or change the plan: npx gantry admin team set-plan.',
      { limit, plan: args.limits.plan },
    );
  }
  await insert.run(tx, {
    id: args.id,
    project: args.projectId,
    name: args.name,
    visibility: args.visibility,
    now: args.now,
  });
  await count.run(tx, { project: args.projectId });
  await emit(tx, {
    repositoryId: args.id,
    type: 'repository.created',
    data: { name: args.name, visibility: args.visibility, actor: args.actor },
    now: args.now,
  });
  return { ...common, id: args.id, teamId: owner.team_id, visibility: args.visibility };
};

export const createRepository: Command<'CreateRepository'> = async (tx, args) => {
  if (await find.get(tx, { project: args.projectId, name: args.name })) {
    throw refuse(
      'conflict',
      `The project holds a repository named "${args.name}" already.`,
      'Push to it, change its visibility with PATCH, or choose another name.',
    );
  }
  return ensureRepository(tx, args);
};

export const touchRepositories: Command<'TouchRepositories'> = async (tx, { uses }) => {
  for (const use of uses) await touch.run(tx, use);
  return null;
};

export const setVisibility: Command<'SetVisibility'> = async (tx, args) => {
  if ((await setVisibilityQuery.run(tx, args)) === 0)
    throw refuse('name-unknown', 'There is no such repository.');
  await bumpAuthEpoch(tx);
  return null;
};
