import type { EgressRule, InstanceSpec, PreparedImage } from '../../ports/runtime-driver.ts';
import type { InstanceEnvironment, MachineType } from '../instance.ts';
import type { Instance } from './instance-record.ts';

const diskBytes = { '512MB': 512e6, '10GB': 10e9 } as const;
const pids = 1_024;

/** What the engine is told of an instance. Pure. */
export function instanceSpec(
  instance: Instance,
  of: {
    installation: string;
    image: PreparedImage;
    resolved: InstanceEnvironment;
    machine: MachineType;
    egress: EgressRule;
  },
): InstanceSpec {
  const { target } = instance;
  const { settings } = target.service;
  return {
    instanceId: instance.id,
    labels: {
      installation: of.installation,
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
    network: { projectId: target.projectId, egress: of.egress },
    files: of.resolved.files,
    hostname: target.service.name.slice(0, 63),
  };
}
