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
interface Last {
  id: string;
  host: string;
  state: string;
  origin: string;
}
const last = query<Place, Last>((db, p) =>
  db
    .selectFrom('deployments')
    .select(['id', 'host', 'state', 'origin'])
    .where('project_id', '=', p('project'))
    .where('environment', '=', p('environment'))
    .where('name', '=', p('name'))
    .where('service_id', '=', p('service'))
    .orderBy('number', 'desc')
    .limit(1),
);

/**
 * Part of a push's transaction: takes the deployments that it makes. Each tag has one, in the order given, where
 * the push moved it, or where what was last deployed of the service there is another image, failed, was ended, or
 * its environment was. For another tag, what its environment runs or is about to run is named.
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
    const pointer = await findPointer.get(tx, place);
    const running = pointer?.deployment_id ?? undefined;
    const host =
      before === undefined || moved.includes(wanted.tag) || isStale(before, args.digest, running)
        ? await reserve(tx, args, { projectId, service, wanted })
        : await present(tx, before, running);
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

/** Whether pushing the digest once more is to deploy it: not where it is there, or was rolled back. */
function isStale(before: Last, digest: string, running: string | undefined): boolean {
  const origin = JSON.parse(before.origin) as { digest?: string; image?: { digest: string } };
  if ((origin.digest ?? origin.image?.digest) !== digest) return true;
  if (isOnItsWay(before)) return false;
  return running === undefined || before.state === 'failed' || before.state === 'deleted';
}

const isOnItsWay = (row: Last) => underWay.some((state) => state === row.state);

/** What is on its way, else what the pointer names. */
async function present(
  tx: Executor,
  before: Last,
  id: string | undefined,
): Promise<ReservedHost | undefined> {
  if (isOnItsWay(before)) return { deploymentId: before.id, host: before.host };
  const row = id === undefined ? undefined : await findDeployment.get(tx, { id });
  return row && { deploymentId: row.id, host: row.host };
}
