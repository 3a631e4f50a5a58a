import { refuse } from '../../../src/oci/errors.ts';
import { type Executor, query } from '../database.ts';
import type { Command } from './command.ts';
import { findDeployment, findPointer, numberOf } from './deployment-rows.ts';
import { movePointerTo } from './deployments.ts';
import { emitOfProject } from './outbox.ts';

const removePreviewHosts = query<{ project: string; name: string }>((db, p) =>
  db
    .deleteFrom('function_hosts')
    .where('project_id', '=', p('project'))
    .where('environment', '=', 'preview')
    .where('name', '=', p('name'))
    .where('custom', '=', 0),
);
export const movePointer: Command<'MovePointer'> = async (tx, args) => {
  const { projectId, environment, name, deploymentId, actor, now } = args;
  const pointer = await findPointer.get(tx, { project: projectId, environment, name });
  if (!pointer) throw refuse('not-found', 'There is no such environment.');
  if (args.version !== undefined && args.version !== pointer.version) {
    throw refuse(
      'precondition-failed',
      `The environment was moved meanwhile: it has version ${pointer.version}, not ${args.version}.`,
      'Read it again, and send the change with its new version.',
    );
  }
  if (deploymentId !== null) await requireReady(tx, projectId, deploymentId);
  // Whatever was made before this is older than what somebody chose by hand.
  const barrier = (await numberOf(tx, projectId)) ?? pointer.barrier;
  const move = { project: projectId, environment, name, deployment: deploymentId };
  const version = await movePointerTo(tx, { ...move, barrier, actor, now }, pointer);
  if (deploymentId === null && environment === 'preview') {
    await removePreviewHosts.run(tx, { project: projectId, name });
  }
  const from = pointer.deployment_id;
  const data = { environment, name, from, to: deploymentId, version, actor };
  await emitOfProject(tx, { projectId, type: 'environment.moved', data, now });
  return { version, from };
};

async function requireReady(tx: Executor, projectId: string, id: string): Promise<void> {
  const row = await findDeployment.get(tx, { id });
  if (row?.project_id !== projectId) {
    throw refuse('not-found', 'The project has no such deployment.');
  }
  if (row.state !== 'ready') {
    throw refuse(
      'conflict',
      `The deployment is ${row.state}: only one that is ready can take requests.`,
      'List those that are: GET …/deployments?state=ready',
    );
  }
}
