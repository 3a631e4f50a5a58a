import { refuse } from '../../../src/oci/errors.ts';
import type { Snapshot } from '../../../src/ports/functions.ts';
import { query } from '../database.ts';
import type { FunctionSchema } from '../schema-functions.ts';
import { toVolume } from '../stores/volumes.ts';
import type { Command } from './command.ts';

type Row = FunctionSchema['function_volumes'];

/** Of one project. */
const most = 100;

const insert = query<Row>((db, p) =>
  db
    .insertInto('function_volumes')
    .values({
      id: p('id'),
      project_id: p('project_id'),
      name: p('name'),
      kind: p('kind'),
      bucket: p('bucket'),
      max_bytes: p('max_bytes'),
      created_at: p('created_at'),
      created_by: p('created_by'),
    })
    .onConflict((c) => c.columns(['project_id', 'name']).doNothing()),
);
const named = query<{ project: string; name: string }, Row>((db, p) =>
  db
    .selectFrom('function_volumes')
    .selectAll()
    .where('project_id', '=', p('project'))
    .where('name', '=', p('name')),
);
const setLimit = query<{ id: string; max: number | null }>((db, p) =>
  db
    .updateTable('function_volumes')
    .set({ max_bytes: p('max') })
    .where('id', '=', p('id')),
);
const remove = query<{ id: string }>((db, p) =>
  db.deleteFrom('function_volumes').where('id', '=', p('id')),
);
const noteRemoved = query<FunctionSchema['removed_volumes']>((db, p) =>
  db
    .insertInto('removed_volumes')
    .values({ id: p('id'), project_id: p('project_id'), removed_at: p('removed_at') })
    .onConflict((c) => c.column('id').doNothing()),
);
const byId = query<{ id: string }, { name: string }>((db, p) =>
  db.selectFrom('function_volumes').select('name').where('id', '=', p('id')),
);
const removedById = query<{ id: string }, { id: string }>((db, p) =>
  db.selectFrom('removed_volumes').select('id').where('id', '=', p('id')),
);
const forget = query<{ before: number; keep: string }>((db, p, dialect) =>
  db
    .deleteFrom('removed_volumes')
    .where('removed_at', '<', p('before'))
    .where('id', 'not in', (e) =>
      e.selectFrom(dialect.elements(p('keep')).as('kept')).select('kept.value'),
    ),
);
const count = query<{ project: string }, { count: number }>((db, p) =>
  db
    .selectFrom('function_volumes')
    .select((e) => e.fn.countAll<number>().as('count'))
    .where('project_id', '=', p('project')),
);
const projectOf = query<{ project: string }, { id: string }>((db, p) =>
  db.selectFrom('projects').select('id').where('id', '=', p('project')),
);
/** What pointers name, and what is on its way to be named. */
const live = query<{ project: string }, { id: string; snapshot: string | null }>((db, p) =>
  db
    .selectFrom('deployments as d')
    .select(['d.id', 'd.snapshot'])
    .where('d.project_id', '=', p('project'))
    .where((e) =>
      e.or([
        e('d.state', 'in', ['queued', 'pending', 'preparing', 'probing']),
        e(
          'd.id',
          'in',
          e
            .selectFrom('environment_pointers as e')
            .select('e.deployment_id')
            .where('e.project_id', '=', p('project'))
            .where('e.deployment_id', 'is not', null)
            .$castTo<{ deployment_id: string }>(),
        ),
      ]),
    ),
);
const services = query<{ project: string }, { name: string; settings: string }>((db, p) =>
  db.selectFrom('services').select(['name', 'settings']).where('project_id', '=', p('project')),
);

export const createVolume: Command<'CreateVolume'> = async (tx, args) => {
  const { projectId: project } = args;
  if (!(await projectOf.get(tx, { project })))
    throw refuse('not-found', 'There is no such project.');
  if (Number((await count.get(tx, { project }))?.count) >= most) {
    const message = `The project has ${most} volumes, and takes no more.`;
    throw refuse('quota', message, 'Delete what is not needed.');
  }
  const inserted = await insert.run(tx, {
    id: args.id,
    project_id: project,
    name: args.name,
    kind: args.kind,
    bucket: args.bucket ? JSON.stringify(args.bucket) : null,
    max_bytes: args.maxBytes ?? null,
    created_at: args.createdAt,
    created_by: args.createdBy,
  });
  if (inserted === 0) throw refuse('conflict', `The project has a volume "${args.name}" already.`);
  return null;
};

export const updateVolume: Command<'UpdateVolume'> = async (tx, args) => {
  const { projectId: project, name, maxBytes: max = null } = args;
  const row = await named.get(tx, { project, name });
  if (!row) throw refuse('not-found', 'The project has no such volume.');
  if (row.kind !== 'disk') {
    throw refuse('invalid', 'A bucket has no limit here.', 'Its provider may have one.');
  }
  await setLimit.run(tx, { id: row.id, max });
  return toVolume({ ...row, max_bytes: max });
};

export const deleteVolume: Command<'DeleteVolume'> = async (tx, args) => {
  const { projectId: project, name, now } = args;
  const row = await named.get(tx, { project, name });
  if (!row) throw refuse('not-found', 'The project has no such volume.');
  const takes = (settings: Snapshot['services'][number]['settings']) =>
    settings.volumes?.some((volume) => volume.name === name);
  for (const service of await services.all(tx, { project })) {
    if (takes(JSON.parse(service.settings))) throw attached(name, `the service "${service.name}"`);
  }
  for (const { id, snapshot } of await live.all(tx, { project })) {
    const { services = [] } = JSON.parse(snapshot ?? '{}') as Partial<Snapshot>;
    const service = services.find(({ settings }) => takes(settings));
    if (service) throw attached(name, `the service "${service.name}" of the deployment ${id}`);
  }
  await remove.run(tx, { id: row.id });
  await noteRemoved.run(tx, { id: row.id, project_id: project, removed_at: now });
  return toVolume(row);
};

export const adoptVolume: Command<'AdoptVolume'> = async (tx, args) => {
  const { id } = args;
  const there = await byId.get(tx, { id });
  if (there) throw refuse('conflict', `It is the volume "${there.name}" of a project.`);
  if (await removedById.get(tx, { id })) {
    throw refuse('conflict', 'The volume was deleted, and what it holds goes.');
  }
  return createVolume(tx, args);
};

export const discardVolume: Command<'DiscardVolume'> = async (tx, { id, projectId, now }) => {
  const there = await byId.get(tx, { id });
  if (there) throw refuse('conflict', `It is the volume "${there.name}" of a project.`);
  await noteRemoved.run(tx, { id, project_id: projectId ?? null, removed_at: now });
  return null;
};

export const forgetRemovedVolumes: Command<'ForgetRemovedVolumes'> = async (tx, args) => {
  await forget.run(tx, { before: args.before, keep: JSON.stringify(args.keep) });
  return null;
};

function attached(name: string, by: string) {
  return refuse(
    'conflict',
    `The volume "${name}" is attached by ${by}.`,
    'Detach it, and deploy the service without it, first.',
  );
}
