import { refuse } from '../../../src/oci/errors.ts';
import { query } from '../database.ts';
import type { FunctionSchema } from '../schema-functions.ts';
import type { Command } from './command.ts';

type Row = FunctionSchema['sandboxes'];

const insert = query<Row>((db, p) =>
  db.insertInto('sandboxes').values({
    id: p('id'),
    project_id: p('project_id'),
    spec: p('spec'),
    state: p('state'),
    reason: p('reason'),
    created_at: p('created_at'),
    created_by: p('created_by'),
    expires_at: p('expires_at'),
    ended_at: p('ended_at'),
  }),
);
const countOpen = query<{ project: string }, { count: number }>((db, p) =>
  db
    .selectFrom('sandboxes')
    .select((e) => e.fn.countAll<number>().as('count'))
    .where('project_id', '=', p('project'))
    .where('state', 'in', ['starting', 'running']),
);
const projectOf = query<{ project: string }, { id: string }>((db, p) =>
  db.selectFrom('projects').select('id').where('id', '=', p('project')),
);
const find = query<{ id: string }, Row>((db, p) =>
  db.selectFrom('sandboxes').selectAll().where('id', '=', p('id')),
);
const update = query<Row>((db, p) =>
  db
    .updateTable('sandboxes')
    .set({
      spec: p('spec'),
      state: p('state'),
      reason: p('reason'),
      expires_at: p('expires_at'),
      ended_at: p('ended_at'),
    })
    .where('id', '=', p('id')),
);
const prune = query<{ before: number; limit: number }>((db, p) =>
  db
    .deleteFrom('sandboxes')
    .where('id', 'in', (e) =>
      e
        .selectFrom('sandboxes')
        .select('id')
        .where('state', '=', 'ended')
        .where('ended_at', '<', p('before'))
        .limit(p('limit')),
    ),
);

export const createSandbox: Command<'CreateSandbox'> = async (tx, { sandbox, most }) => {
  const { projectId: project } = sandbox;
  if (!(await projectOf.get(tx, { project })))
    throw refuse('not-found', 'There is no such project.');
  if (Number((await countOpen.get(tx, { project }))?.count) >= most) {
    throw refuse(
      'quota',
      `The project has ${most} sandboxes already, as many as it may.`,
      'Stop one that is not needed.',
    );
  }
  await insert.run(tx, {
    id: sandbox.id,
    project_id: project,
    spec: JSON.stringify(sandbox.spec),
    state: sandbox.state,
    reason: sandbox.reason ?? null,
    created_at: sandbox.createdAt,
    created_by: sandbox.createdBy,
    expires_at: sandbox.expiresAt,
    ended_at: sandbox.endedAt ?? null,
  });
  return null;
};

export const updateSandbox: Command<'UpdateSandbox'> = async (tx, args) => {
  const row = await find.get(tx, { id: args.id });
  if (!row || !(args.from as readonly string[]).includes(row.state)) return { changed: false };
  await update.run(tx, {
    ...row,
    ...(args.spec && { spec: JSON.stringify(args.spec) }),
    ...(args.state && { state: args.state }),
    ...(args.reason !== undefined && { reason: args.reason }),
    ...(args.expiresAt !== undefined && { expires_at: args.expiresAt }),
    ...(args.endedAt !== undefined && { ended_at: args.endedAt }),
  });
  return { changed: true };
};

export const pruneSandboxes: Command<'PruneSandboxes'> = async (tx, args) => ({
  pruned: await prune.run(tx, args),
});
