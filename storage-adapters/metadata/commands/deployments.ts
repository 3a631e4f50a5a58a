import { refuse } from '../../../src/oci/errors.ts';
import type { EventType } from '../../../src/ports/outbox.ts';
import { type Executor, query } from '../database.ts';
import type { Command } from './command.ts';
import {
  type DeploymentRow,
  ensurePointerHosts,
  findDeployment,
  findPointer,
  insertDeployment,
  pin,
  pointsAt,
  takeNumber,
  underWay,
} from './deployment-rows.ts';
import { emitOfProject } from './outbox.ts';

interface StateChange {
  id: string;
  state: string;
  reason: string | null;
}
const setState = query<StateChange>((db, p) =>
  db
    .updateTable('deployments')
    .set({ state: p('state'), reason: p('reason') })
    .where('id', '=', p('id')),
);
const setReady = query<{ id: string; snapshot: string; now: number }>((db, p) =>
  db
    .updateTable('deployments')
    .set({ state: 'ready', reason: null, snapshot: p('snapshot'), ready_at: p('now') })
    .where('id', '=', p('id')),
);
const removeHosts = query<{ id: string }>((db, p) =>
  db.deleteFrom('function_hosts').where('deployment_id', '=', p('id')),
);
interface Later {
  project: string;
  environment: string;
  name: string;
  number: number;
}
const readyAfter = (which: 'service' | 'whole' | 'any') =>
  query<Later & { service: string }, { id: string }>((db, p) => {
    const later = db
      .selectFrom('deployments')
      .select('id')
      .where('project_id', '=', p('project'))
      .where('environment', '=', p('environment'))
      .where('name', '=', p('name'))
      .where('number', '>', p('number'))
      .where('ready_at', 'is not', null)
      .limit(1);
    if (which === 'service') return later.where('service_id', '=', p('service'));
    return which === 'whole' ? later.where('service_id', 'is', null) : later;
  });
const serviceLater = readyAfter('service');
const wholeLater = readyAfter('whole');
const anyLater = readyAfter('any');

interface PointerMove {
  project: string;
  environment: string;
  name: string;
  deployment: string | null;
  version: number;
  barrier: number;
  actor: string;
  now: number;
}
const putPointer = query<PointerMove>((db, p) =>
  db
    .insertInto('environment_pointers')
    .values({
      project_id: p('project'),
      environment: p('environment'),
      name: p('name'),
      deployment_id: p('deployment'),
      version: p('version'),
      barrier: p('barrier'),
      updated_at: p('now'),
      updated_by: p('actor'),
    })
    .onConflict((c) =>
      c.columns(['project_id', 'environment', 'name']).doUpdateSet({
        deployment_id: p('deployment'),
        version: p('version'),
        barrier: p('barrier'),
        updated_at: p('now'),
        updated_by: p('actor'),
      }),
    ),
);

/** Moves a pointer, or makes it; its next version is returned. */
export async function movePointerTo(
  tx: Executor,
  move: Omit<PointerMove, 'version'>,
  from: { version: number } | undefined,
): Promise<number> {
  const version = (from?.version ?? 0) + 1;
  await putPointer.run(tx, { ...move, version });
  return version;
}

export const createDeployment: Command<'CreateDeployment'> = async (tx, args) => {
  const { id, projectId, environment, name, snapshot, origin, service, actor, now } = args;
  const number = await takeNumber(tx, projectId);
  if (number === undefined) throw refuse('not-found', 'There is no such project.');
  const host = await insertDeployment(tx, {
    ...{ id, projectId, number, environment, name, state: 'pending', snapshot, origin },
    serviceId: origin.type === 'api' ? origin.image?.serviceId : undefined,
    ...{ hosts: args.hosts, service, actor, now },
  });
  await pin(tx, id, snapshot.services);
  await ensurePointerHosts(tx, { projectId, environment, name, now }, [
    { service: undefined, hosts: args.pointerHosts },
    ...args.serviceHosts,
  ]);
  return { deploymentId: id, host };
};

export const activateDeployment: Command<'ActivateDeployment'> = async (tx, args) => {
  const { id, snapshot, now } = args;
  const row = await findDeployment.get(tx, { id });
  if (!row || !underWay.some((state) => state === row.state)) return { outcome: 'gone' };
  const { project_id: project, environment, name, number } = row;
  const pointer = await findPointer.get(tx, { project, environment, name });
  if (number <= (pointer?.barrier ?? 0) || (await overtaken(tx, row))) {
    await setState.run(tx, { id, state: 'superseded', reason: null });
    return { outcome: 'superseded' };
  }
  if ((pointer?.version ?? 0) !== args.pointerVersion) return { outcome: 'stale' };
  const byHand = typeOf(row) === 'promote';
  await setReady.run(tx, { id, snapshot: JSON.stringify(snapshot), now });
  await pin(tx, id, snapshot.services);
  const barrier = byHand ? number : (pointer?.barrier ?? 0);
  const actor = row.created_by;
  await movePointerTo(
    tx,
    { project, environment, name, deployment: id, barrier, actor, now },
    pointer,
  );
  await emitState(tx, row, 'deployment.ready', { replaces: pointer?.deployment_id ?? null }, now);
  return { outcome: 'ready' };
};

/** Whether one that came later was first. */
async function overtaken(tx: Executor, row: DeploymentRow): Promise<boolean> {
  const later = {
    project: row.project_id,
    ...{ environment: row.environment, name: row.name, number: row.number },
    service: row.service_id ?? '',
  };
  const which = row.service_id ? serviceLater : typeOf(row) === 'promote' ? anyLater : wholeLater;
  return (await which.get(tx, later)) !== undefined;
}

export const setDeploymentState: Command<'SetDeploymentState'> = async (tx, args) => {
  const { id, state, now } = args;
  const row = await findDeployment.get(tx, { id });
  if (!row || !args.from.some((from) => from === row.state)) return { changed: false };
  if (state === 'deleted') await endHosts(tx, id);
  const reason = args.reason ? JSON.stringify(args.reason) : null;
  await setState.run(tx, { id, state, reason });
  if (state === 'failed') {
    const { code, message } = args.reason ?? { code: 'unknown', message: '' };
    await emitState(tx, row, 'deployment.failed', { code, message }, now);
  }
  return { changed: true };
};

async function endHosts(tx: Executor, id: string): Promise<void> {
  const pointer = await pointsAt.get(tx, { deployment: id });
  if (pointer) {
    throw refuse(
      'conflict',
      `The deployment is what ${pointer.environment}${pointer.environment === 'preview' ? ` "${pointer.name}"` : ''} runs.`,
      'Promote or roll back to another one first, or end the environment.',
      { environment: pointer.environment, name: pointer.name },
    );
  }
  await removeHosts.run(tx, { id });
}

/** Ends a deployment whose image goes. */
export async function endDeployment(
  tx: Executor,
  row: DeploymentRow,
  reason: { code: string; message: string; hint: string },
  now: number,
): Promise<void> {
  const failed = row.state !== 'ready';
  if (!failed) await removeHosts.run(tx, { id: row.id });
  const state = failed ? 'failed' : 'deleted';
  await setState.run(tx, { id: row.id, state, reason: JSON.stringify(reason) });
  if (failed) await emitState(tx, row, 'deployment.failed', reason, now);
}

export async function emitState(
  tx: Executor,
  row: DeploymentRow,
  type: EventType,
  more: object,
  now: number,
): Promise<void> {
  const { id: deployment, number, environment, name, host, created_by: actor } = row;
  const data = { deployment, number, environment, name, host, actor, ...more };
  await emitOfProject(tx, { projectId: row.project_id, type, data, now });
}

function typeOf(row: DeploymentRow): string {
  return (JSON.parse(row.origin) as { type: string }).type;
}
