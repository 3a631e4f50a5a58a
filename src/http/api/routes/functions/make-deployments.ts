import { mayAct } from '../../../../auth/authorizer.ts';
import { refuse } from '../../../../oci/errors.ts';
import type {
  Deployment,
  DeploymentOrigin,
  EnvironmentPointer,
  FunctionEnvironment,
  Snapshot,
} from '../../../../ports/functions.ts';
import { newId } from '../../../../projects/ids.ts';
import { deploymentLabels } from '../../../../scheduler/host-labels.ts';
import { functionsOn, hostsOf, pointerLabels } from '../../../../scheduler/reserve.ts';
import type { Call } from '../../route.ts';
import { urlOf } from './views.ts';

/** More environments than these take a change at their next push. */
const mostRedeployed = 10;

export interface WantedDeployment {
  readonly environment: FunctionEnvironment;
  readonly name: string;
  readonly snapshot: Snapshot;
  readonly origin: DeploymentOrigin;
  /** That its own address leads to; undefined: its only one, or what rewrites say. */
  readonly service?: string | undefined;
}

/** Makes a deployment by hand; the deployer takes it on. */
export async function makeDeployment(call: Call, wanted: WantedDeployment): Promise<Deployment> {
  const { services, project, identity } = call;
  const { metadata, clock } = services;
  const { environment, name, snapshot, origin, service } = wanted;
  const id = newId('dpl');
  const place = { environment, name };
  await metadata.writer.run('CreateDeployment', {
    ...{ id, projectId: project.id, environment, name, snapshot, origin, service },
    hosts: service
      ? hostsOf(project, place, service, id).hosts
      : deploymentLabels([project.slug], id),
    pointerHosts: pointerLabels(project, place),
    serviceHosts: snapshot.services.map((one) => ({
      ...{ service: one.name, hosts: pointerLabels(project, place, one.name) },
    })),
    ...{ actor: identity.actor, now: clock.now() },
  });
  return (await metadata.deployments.findById(id))!;
}

export const viewMade = (call: Call, { id, environment, name, host }: Deployment) => ({
  ...{ id, environment, name, url: urlOf(call, host) },
});

/** Throws `conflict` where functions are off for the project. */
export function requireOn({ project }: Call): void {
  if (functionsOn(project)) return;
  throw refuse(
    'conflict',
    'Functions are off for this project or its team.',
    'Turn them on: PATCH /api/v1/teams/<team>/projects/<project> with {"settings": {"functions": {"enabled": true}}}.',
  );
}

/** Whether the caller may deploy here, and functions are on. */
export function mayDeploy({ identity, project }: Call): boolean {
  const place = { teamId: project.teamId, projectId: project.id, visibility: 'private' as const };
  return mayAct(identity, place, 'deploy') && functionsOn(project);
}

/**
 * After a change of settings or rewrites: deploys anew what runs one of `serviceIds` (undefined: all), so that the
 * change holds there; and a service that runs nowhere, since its last deployment failed. Nothing, where the caller
 * may not deploy.
 */
export async function redeploy(
  call: Call,
  serviceIds: readonly string[] | undefined,
): Promise<Deployment[]> {
  if (!mayDeploy(call)) return [];
  const { deployments } = call.services.metadata;
  const pointers = await deployments.pointers(call.project.id);
  const newest = [...pointers].sort((a, b) => rank(b) - rank(a) || b.updatedAt - a.updatedAt);
  const made: Deployment[] = [];
  const running = new Set<string>();
  for (const { environment, name, deploymentId } of newest) {
    if (deploymentId === undefined) continue;
    const snapshot = (await deployments.findById(deploymentId))?.snapshot;
    if (!snapshot) continue;
    const affected =
      serviceIds === undefined ||
      snapshot.services.some(({ serviceId }) => serviceIds.includes(serviceId));
    for (const { serviceId } of snapshot.services) running.add(serviceId);
    if (!affected || made.length >= mostRedeployed) continue;
    const origin = { type: 'settings' } as const;
    made.push(await makeDeployment(call, { environment, name, snapshot, origin }));
  }
  for (const serviceId of serviceIds ?? []) {
    if (!running.has(serviceId)) made.push(...(await retryFailed(call, serviceId)));
  }
  return made;
}

const rank = ({ environment }: EnvironmentPointer) => (environment === 'production' ? 1 : 0);

async function retryFailed(call: Call, serviceId: string): Promise<Deployment[]> {
  const { services, deployments } = call.services.metadata;
  const service = await services.findById(serviceId);
  const page = await deployments.page({ projectId: call.project.id }, undefined, 100);
  const last = page.find(({ origin }) => imageOf(origin)?.serviceId === serviceId);
  if (last?.state !== 'failed' || !service) return [];
  const image = imageOf(last.origin)!;
  const { environment, name } = last;
  const snapshot = { services: [], rewrites: [] };
  const origin = { type: 'api', image } as const;
  const wanted = { environment, name, snapshot, origin, service: service.name };
  return [await makeDeployment(call, wanted)];
}

function imageOf(origin: DeploymentOrigin) {
  if (origin.type === 'api') return origin.image;
  if (origin.type !== 'push') return undefined;
  const { serviceId, repositoryId, digest, tag: reference } = origin;
  return { serviceId, repositoryId, digest, reference };
}
