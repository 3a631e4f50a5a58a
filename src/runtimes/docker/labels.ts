import type { InstanceLabels } from '../../ports/runtime-driver.ts';

/** Keys of labels on what Gantry makes in an engine. */
export const label = {
  installation: 'gantry.installation',
  instance: 'gantry.instance',
  kind: 'gantry.kind',
  team: 'gantry.team',
  project: 'gantry.project',
  deployment: 'gantry.deployment',
  service: 'gantry.service',
  fingerprint: 'gantry.fingerprint',
  created: 'gantry.created',
  gpus: 'gantry.gpus',
  /** Bytes that its writable layer may have. */
  disk: 'gantry.disk',
  /** Of an engine on another machine: what is copied into it, as JSON; else empty. */
  files: 'gantry.files',
  volume: 'gantry.volume',
} as const;

export function writeLabels(instanceId: string, labels: InstanceLabels): Record<string, string> {
  return {
    [label.installation]: labels.installation,
    [label.instance]: instanceId,
    [label.kind]: labels.kind,
    [label.team]: labels.teamId,
    [label.project]: labels.projectId,
    [label.deployment]: labels.deploymentId,
    [label.service]: labels.service,
    [label.fingerprint]: labels.fingerprint,
    [label.created]: String(labels.createdAt),
  };
}

/** Undefined where the container is no instance. */
export function readLabels(
  labels: Readonly<Record<string, string>> | null | undefined,
): { instanceId: string; labels: InstanceLabels } | undefined {
  const instanceId = labels?.[label.instance];
  if (!labels || !instanceId) return undefined;
  return {
    instanceId,
    labels: {
      installation: labels[label.installation] ?? '',
      kind: labels[label.kind] === 'sandbox' ? 'sandbox' : 'function',
      teamId: labels[label.team] ?? '',
      projectId: labels[label.project] ?? '',
      deploymentId: labels[label.deployment] ?? '',
      service: labels[label.service] ?? '',
      fingerprint: labels[label.fingerprint] ?? '',
      createdAt: Number(labels[label.created]) || 0,
    },
  };
}
