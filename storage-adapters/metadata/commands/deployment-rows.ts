import type { DeploymentOrigin, Snapshot } from '../../../src/ports/functions.ts';
import { type Executor, query } from '../database.ts';
import type { FunctionSchema } from '../schema-functions.ts';

export type DeploymentRow = FunctionSchema['deployments'];
export type PointerRow = FunctionSchema['environment_pointers'];
type HostRow = FunctionSchema['function_hosts'];

/** States of what is on its way. */
export const underWay = ['queued', 'pending', 'preparing', 'probing'] as const;

const nextNumber = query<{ project: string }>((db, p) =>
  db
    .updateTable('projects')
    .set((e) => ({ deployment_sequence: e('deployment_sequence', '+', 1) }))
    .where('id', '=', p('project')),
);
const lastNumber = query<{ project: string }, { deployment_sequence: number }>((db, p) =>
  db.selectFrom('projects').select('deployment_sequence').where('id', '=', p('project')),
);
const insert = query<DeploymentRow>((db, p) =>
  db.insertInto('deployments').values({
    id: p('id'),
    project_id: p('project_id'),
    number: p('number'),
    environment: p('environment'),
    name: p('name'),
    state: p('state'),
    reason: p('reason'),
    snapshot: p('snapshot'),
    origin: p('origin'),
    service_id: p('service_id'),
    host: p('host'),
    created_at: p('created_at'),
    created_by: p('created_by'),
    ready_at: p('ready_at'),
  }),
);
export const findDeployment = query<{ id: string }, DeploymentRow>((db, p) =>
  db.selectFrom('deployments').selectAll().where('id', '=', p('id')),
);
interface PinRow {
  deployment: string;
  service: string;
  repository: string;
  digest: string;
}
const insertPin = query<PinRow>((db, p) =>
  db
    .insertInto('deployment_services')
    .values({
      deployment_id: p('deployment'),
      service_id: p('service'),
      repository_id: p('repository'),
      digest: p('digest'),
    })
    .onConflict((c) => c.doNothing()),
);
const removePins = query<{ deployment: string }>((db, p) =>
  db.deleteFrom('deployment_services').where('deployment_id', '=', p('deployment')),
);
const insertHost = query<HostRow>((db, p) =>
  db
    .insertInto('function_hosts')
    .values({
      host: p('host'),
      custom: p('custom'),
      project_id: p('project_id'),
      deployment_id: p('deployment_id'),
      environment: p('environment'),
      name: p('name'),
      service: p('service'),
      created_at: p('created_at'),
    })
    .onConflict((c) => c.column('host').doNothing()),
);
interface PointerPlace {
  project: string;
  environment: string;
  name: string;
}
export const findPointer = query<PointerPlace, PointerRow>((db, p) =>
  db
    .selectFrom('environment_pointers')
    .selectAll()
    .where('project_id', '=', p('project'))
    .where('environment', '=', p('environment'))
    .where('name', '=', p('name')),
);
export const pointsAt = query<{ deployment: string }, { environment: string; name: string }>(
  (db, p) =>
    db
      .selectFrom('environment_pointers')
      .select(['environment', 'name'])
      .where('deployment_id', '=', p('deployment'))
      .limit(1),
);
const hostsOfPointer = query<PointerPlace, { service: string | null }>((db, p) =>
  db
    .selectFrom('function_hosts')
    .select('service')
    .where('project_id', '=', p('project'))
    .where('environment', '=', p('environment'))
    .where('name', '=', p('name'))
    .where('custom', '=', 0),
);

/** The project's next number, taken while its row is held. Undefined: there is no such project. */
export async function takeNumber(tx: Executor, project: string): Promise<number | undefined> {
  await nextNumber.run(tx, { project });
  return numberOf(tx, project);
}

/** Of the newest deployment. */
export async function numberOf(tx: Executor, project: string): Promise<number | undefined> {
  return (await lastNumber.get(tx, { project }))?.deployment_sequence;
}

export interface NewDeployment {
  readonly id: string;
  readonly projectId: string;
  readonly number: number;
  readonly environment: string;
  readonly name: string;
  readonly state: 'queued' | 'pending';
  readonly snapshot: Snapshot | undefined;
  readonly origin: DeploymentOrigin;
  readonly serviceId: string | undefined;
  /** Best first. */
  readonly hosts: readonly string[];
  /** That its host leads to, where the project has no rewrites. */
  readonly service: string | undefined;
  readonly actor: string;
  readonly now: number;
}

/** Its row and its host, whose name is returned. */
export async function insertDeployment(tx: Executor, made: NewDeployment): Promise<string> {
  const common = { custom: 0, project_id: made.projectId, created_at: made.now };
  const host = await takeHost(tx, made.hosts, {
    ...common,
    deployment_id: made.id,
    environment: null,
    name: null,
    service: made.service ?? null,
  });
  await insert.run(tx, {
    id: made.id,
    project_id: made.projectId,
    number: made.number,
    environment: made.environment,
    name: made.name,
    state: made.state,
    reason: null,
    snapshot: made.snapshot ? JSON.stringify(made.snapshot) : null,
    origin: JSON.stringify(made.origin),
    service_id: made.serviceId ?? null,
    host,
    created_at: made.now,
    created_by: made.actor,
    ready_at: null,
  });
  return host;
}

/** What it runs, and so what may not go while it is live. */
export async function pin(
  tx: Executor,
  deployment: string,
  services: readonly { serviceId: string; repositoryId: string; digest: string }[],
): Promise<void> {
  await removePins.run(tx, { deployment });
  for (const { serviceId: service, repositoryId: repository, digest } of services) {
    await insertPin.run(tx, { deployment, service, repository, digest });
  }
}

/** The pointer's hosts that are not there yet: its own (`service` undefined), and those of its services. */
export async function ensurePointerHosts(
  tx: Executor,
  pointer: { projectId: string; environment: string; name: string; now: number },
  wanted: readonly { service: string | undefined; hosts: readonly string[] }[],
): Promise<void> {
  const { projectId: project, environment, name, now } = pointer;
  const held = await hostsOfPointer.all(tx, { project, environment, name });
  for (const { service, hosts } of wanted) {
    if (held.some((row) => row.service === (service ?? null))) continue;
    await takeHost(tx, hosts, {
      ...{ custom: 0, project_id: project, deployment_id: null, environment, name },
      ...{ service: service ?? null, created_at: now },
    });
  }
}

/** The first name of `hosts` that is free. */
async function takeHost(
  tx: Executor,
  hosts: readonly string[],
  row: Omit<HostRow, 'host'>,
): Promise<string> {
  for (const host of hosts) {
    if ((await insertHost.run(tx, { ...row, host })) > 0) return host;
  }
  throw new Error(`no host name of ${hosts.join(', ')} is free`);
}
