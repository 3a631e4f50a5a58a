import type { Plans } from '../../config/plans.ts';
import type { Blobs } from '../../ports/blobs.ts';
import type { DeployedService, FunctionVolumes } from '../../ports/functions.ts';
import type { Manifests } from '../../ports/manifests.ts';
import type { Project } from '../../ports/projects.ts';
import type { Repositories } from '../../ports/repositories.ts';
import type { RuntimeCapabilities } from '../../ports/runtime-driver.ts';
import type { Secrets } from '../../ports/secrets.ts';
import type { MachineType } from '../instance.ts';
import {
  availableMachines,
  findMachine,
  type MachineTypes,
  whyNotMachine,
} from '../machine-types.ts';
import { findImage, measureLayers } from './image-facts.ts';
import * as reasons from './reasons.ts';

export interface CheckDeps {
  readonly manifests: Pick<Manifests, 'details' | 'childImages' | 'content'>;
  readonly blobs: Pick<Blobs, 'measures'>;
  readonly repositories: Pick<Repositories, 'details'>;
  readonly secrets: Pick<Secrets, 'find'>;
  readonly volumes: Pick<FunctionVolumes, 'find'>;
  readonly plans: Plans;
  readonly machines: MachineTypes;
  /** False: layers are never measured, and so not waited for. */
  readonly measuring: boolean;
}

export interface CheckFacts {
  readonly project: Project;
  readonly service: DeployedService;
  readonly host: RuntimeCapabilities;
}

/**
 * Whether a service can run here, before anything is pulled: `measuring` where its layers are not measured yet.
 * Throws `DeployRefusal` with what is missing.
 */
export async function checkService(
  deps: CheckDeps,
  { project, service, host }: CheckFacts,
): Promise<'ready' | 'measuring'> {
  const { repositoryId, repository: name, digest, settings } = service;
  const repository = await deps.repositories.details(repositoryId);
  if (!repository) throw reasons.imageGone(name, digest);
  if (repository.teamId !== project.teamId) {
    if (repository.visibility !== 'public') throw reasons.notPublic(name);
    if (!host.networkGuard) throw reasons.unguarded(name);
  }
  const machine = checkMachine(deps.machines, settings.machineType, host);
  await checkSecrets(deps, project.id, settings.secrets ?? {});
  for (const volume of settings.volumes ?? []) {
    const found = await deps.volumes.find(project.id, volume.name);
    if (!found) throw reasons.noSuchVolume(volume.name);
    if (found.kind === 'bucket' && !host.bucketVolumes) throw reasons.noBucketVolumes(volume.name);
  }
  const found = await findImage(deps.manifests, repositoryId, digest, host.platforms);
  if (!found) throw reasons.imageGone(name, digest);
  if (!found.image) throw reasons.noSuchPlatform(found.platforms, host.platforms);
  if (!deps.measuring) return 'ready';
  return checkLayers(deps, project, machine, found.image);
}

function checkMachine(
  machines: MachineTypes,
  name: string | undefined,
  host: RuntimeCapabilities,
): MachineType {
  const found = findMachine(machines, name);
  const problem = 'problem' in found ? found.problem : whyNotMachine(host, found.machine);
  if (problem !== undefined || !('machine' in found)) {
    throw reasons.noSuchMachine(problem ?? '', availableMachines(host, machines));
  }
  return found.machine;
}

async function checkSecrets(
  deps: Pick<CheckDeps, 'secrets'>,
  projectId: string,
  secrets: Readonly<Record<string, string>>,
): Promise<void> {
  for (const [variable, name] of Object.entries(secrets)) {
    if (!(await deps.secrets.find(projectId, name))) throw reasons.noSuchSecret(name, variable);
  }
}

async function checkLayers(
  deps: CheckDeps,
  project: Project,
  machine: MachineType,
  image: Parameters<typeof measureLayers>[1],
): Promise<'ready' | 'measuring'> {
  const { uncompressed } = deps.plans[project.plan];
  const gpu = machine.gpu !== undefined;
  const limit = gpu ? uncompressed.gpu : uncompressed.cpu;
  const layers = await measureLayers(deps, image);
  if (layers.state === 'pending') return 'measuring';
  if (layers.state === 'flagged') throw reasons.flaggedLayer(layers.digest, layers.reason);
  if (layers.state === 'over' || layers.size > limit) {
    const size = layers.state === 'over' ? 'larger than any machine takes' : gigabytes(layers.size);
    throw reasons.tooLarge(size, gigabytes(limit), { name: machine.name, gpu });
  }
  return 'ready';
}

/** Rounded up, so that what is over a limit never reads like it. */
function gigabytes(bytes: number): string {
  return bytes < 1e9
    ? `${Math.ceil(bytes / 1e6)} MB`
    : `${(Math.ceil(bytes / 1e8) / 10).toString()} GB`;
}
