import type { InstanceSpec, PreparedImage } from '../../ports/runtime-driver.ts';
import type { InstanceEnvironment, MachineType } from '../instance.ts';
import type { Instance } from './instance-record.ts';
import type { PoolDeps } from './pool-deps.ts';

const diskBytes = { '512MB': 512e6, '10GB': 10e9 } as const;
const pids = 1_024;

/** What the engine is told of an instance. Pure. */
export function instanceSpec(
  deps: Pick<PoolDeps, 'installation' | 'egressOf'>,
  instance: Instance,
  of: { image: PreparedImage; resolved: InstanceEnvironment; machine: MachineType },
): InstanceSpec {
  const { target } = instance;
  const { settings } = target.service;
  return {
    instanceId: instance.id,
    labels: {
      installation: deps.installation,
      kind: 'function',
      teamId: target.teamId,
      projectId: target.projectId,
      deploymentId: target.deploymentId,
      service: target.service.name,
      fingerprint: of.resolved.fingerprint,
      createdAt: instance.createdAt,
    },
    image: of.image.id,
    command: settings.command,
    args: settings.args,
    env: of.resolved.env,
    cpus: of.machine.cpus,
    memory: of.machine.memory,
    disk: diskBytes[settings.diskSize ?? '512MB'],
    pids,
    gpu: of.machine.gpu,
    mounts: of.resolved.mounts,
    network: { projectId: target.projectId, egress: deps.egressOf?.(target) ?? 'public' },
    files: of.resolved.files,
    hostname: target.service.name.slice(0, 63),
  };
}
