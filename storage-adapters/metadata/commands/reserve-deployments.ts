import type { PutManifestArgs } from '../../../src/ports/commands.ts';
import type { ReservedDeployment, ReservedHost } from '../../../src/ports/commands-functions.ts';
import { type Executor, query } from '../database.ts';
import {
  ensurePointerHosts,
  findDeployment,
  findPointer,
  insertDeployment,
  pin,
  takeNumber,
  underWay,
} from './deployment-rows.ts';
import { serviceOfPush } from './services.ts';

const projectOf = query<{ repository: string }, { project_id: string }>((db, p) =>
  db.selectFrom('repositories').select('project_id').where('id', '=', p('repository')),
);
interface Place {
  project: string;
  environment: string;
  name: string;
  service: string;
}
const last = query<Place, { id: string; host: string; state: string }>((db, p) =>
  db
    .selectFrom('deployments')
    .select(['id', 'host', 'state'])
    .where('project_id', '=', p('project'))
    .where('environment', '=', p('environment'))
    .where('name', '=', p('name'))
    .where('service_id', '=', p('service'))
    .orderBy('number', 'desc')
    .limit(1),
);

/**
 * Part of a push's transaction: takes the deployments that it makes. Each tag has one, in the order given, where
 * the push moved it, or where it never was deployed or failed when it last was. For another tag, what its
 * environment runs or is about to run is named.
 */
export async function reserveDeployments(
  tx: Executor,
  args: PutManifestArgs,
  moved: readonly string[],
): Promise<ReservedHost[]> {
  const { deploy, repositoryId, actor, now } = args;
  if (!deploy || deploy.deployments.length === 0) return [];
  const projectId = (await projectOf.get(tx, { repository: repositoryId }))?.project_id;
  if (projectId === undefined) return [];
  const { newService } = deploy;
  const push = { repositoryId, projectId, newService, actor, now };
  const service = await serviceOfPush(tx, push);
  if (!service) return [];
  const reserved: ReservedHost[] = [];
  for (const wanted of deploy.deployments) {
    const { environment, name } = wanted;
    const place = { project: projectId, environment, name, service: service.id };
    const before = await last.get(tx, place);
    const again = before === undefined || before.state === 'failed';
    const host =
      moved.includes(wanted.tag) || again
        ? await reserve(tx, args, { projectId, service, wanted })
        : await present(tx, place, before);
    if (host) reserved.push(host);
  }
  return reserved;
}

async function reserve(
  tx: Executor,
  { repositoryId, digest, actor, now }: PutManifestArgs,
  at: {
    projectId: string;
    service: { id: string; name: string };
    wanted: ReservedDeployment;
  },
): Promise<ReservedHost> {
  const { projectId, service, wanted } = at;
  const { id, environment, name, tag } = wanted;
  const serviceId = service.id;
  const number = await takeNumber(tx, projectId);
  const host = await insertDeployment(tx, {
    ...{ id, projectId, number: number!, environment, name, state: 'queued', snapshot: undefined },
    origin: { type: 'push', serviceId, repositoryId, tag, digest },
    ...{ serviceId, hosts: wanted.hosts, service: service.name, actor, now },
  });
  await pin(tx, id, [{ serviceId, repositoryId, digest }]);
  await ensurePointerHosts(tx, { projectId, environment, name, now }, [
    { service: undefined, hosts: wanted.pointerHosts },
    { service: service.name, hosts: wanted.serviceHosts },
  ]);
  return { deploymentId: id, host };
}

/** What is on its way, else what the pointer names. */
async function present(
  tx: Executor,
  place: Place,
  before: { id: string; host: string; state: string },
): Promise<ReservedHost | undefined> {
  const onItsWay = underWay.some((state) => state === before.state);
  if (onItsWay) return { deploymentId: before.id, host: before.host };
  const pointer = await findPointer.get(tx, place);
  const id = pointer?.deployment_id ?? undefined;
  const row = id === undefined ? undefined : await findDeployment.get(tx, { id });
  return row && { deploymentId: row.id, host: row.host };
}
