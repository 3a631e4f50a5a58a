import { refuse } from '../../../src/oci/errors.ts';
import { query } from '../database.ts';
import { bumpAuthEpoch, type Command } from './command.ts';

interface Target {
  project: string;
}
const holds = query<Target, { name: string }>((db, p) =>
  db
    .selectFrom('repositories')
    .select('name')
    .where('project_id', '=', p('project'))
    .orderBy('name')
    .limit(1),
);
const volume = query<Target, { name: string }>((db, p) =>
  db
    .selectFrom('function_volumes')
    .select('name')
    .where('project_id', '=', p('project'))
    .orderBy('name')
    .limit(1),
);
const remove = query<Target>((db, p) => db.deleteFrom('projects').where('id', '=', p('project')));

/** Everything that names the project. */
const removals = [
  query<Target>((db, p) =>
    db.deleteFrom('function_invocations').where('project_id', '=', p('project')),
  ),
  query<Target>((db, p) =>
    db
      .deleteFrom('webhook_attempts')
      .where('delivery_id', 'in', (e) =>
        e
          .selectFrom('webhook_deliveries as d')
          .innerJoin('webhooks as w', 'w.id', 'd.webhook_id')
          .select('d.id')
          .where('w.project_id', '=', p('project')),
      ),
  ),
  query<Target>((db, p) =>
    db
      .deleteFrom('webhook_deliveries')
      .where('webhook_id', 'in', (e) =>
        e.selectFrom('webhooks').select('webhooks.id').where('project_id', '=', p('project')),
      ),
  ),
  query<Target>((db, p) => db.deleteFrom('webhooks').where('project_id', '=', p('project'))),
  query<Target>((db, p) => db.deleteFrom('secrets').where('project_id', '=', p('project'))),
  query<Target>((db, p) =>
    db.deleteFrom('environment_variables').where('project_id', '=', p('project')),
  ),
  query<Target>((db, p) => db.deleteFrom('transfer').where('project_id', '=', p('project'))),
  query<Target>((db, p) => db.deleteFrom('domain_claims').where('project_id', '=', p('project'))),
  query<Target>((db, p) => db.deleteFrom('function_hosts').where('project_id', '=', p('project'))),
  query<Target>((db, p) =>
    db.deleteFrom('environment_pointers').where('project_id', '=', p('project')),
  ),
  query<Target>((db, p) =>
    db
      .deleteFrom('deployment_services')
      .where('deployment_id', 'in', (e) =>
        e.selectFrom('deployments').select('deployments.id').where('project_id', '=', p('project')),
      ),
  ),
  query<Target>((db, p) => db.deleteFrom('deployments').where('project_id', '=', p('project'))),
  query<Target>((db, p) => db.deleteFrom('services').where('project_id', '=', p('project'))),
  query<Target>((db, p) => db.deleteFrom('sandboxes').where('project_id', '=', p('project'))),
];

export const deleteProject: Command<'DeleteProject'> = async (tx, { projectId: project }) => {
  const held = await holds.get(tx, { project });
  if (held) {
    throw refuse(
      'conflict',
      `The project holds repositories, such as "${held.name}".`,
      'Delete its repositories first: with them go their images.',
    );
  }
  const attached = await volume.get(tx, { project });
  if (attached) {
    throw refuse(
      'conflict',
      `The project has volumes, such as "${attached.name}".`,
      'Delete its volumes first: what they hold goes with them.',
    );
  }
  for (const removal of removals) await removal.run(tx, { project });
  if ((await remove.run(tx, { project })) === 0) {
    throw refuse('not-found', 'There is no such project.');
  }
  await bumpAuthEpoch(tx);
  return null;
};
