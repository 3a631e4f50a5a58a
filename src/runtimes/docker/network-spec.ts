/** A project's network as the engine's API has it. */
import type { EgressRule } from '../../ports/runtime-driver.ts';
import { formatAddress4, formatRange4, parseRange4, type Range4 } from './subnet-pool.ts';

export const networkLabels = {
  installation: 'gantry.installation',
  kind: 'gantry.kind',
  project: 'gantry.project',
  egress: 'gantry.network.egress',
  number: 'gantry.network.number',
} as const;

/** As much as is read of a network's description. */
export interface EngineNetwork {
  readonly Id: string;
  readonly Name: string;
  readonly Labels?: Readonly<Record<string, string>> | null;
  readonly IPAM?: { readonly Config?: readonly { readonly Subnet?: string }[] | null } | null;
}

/** The body of `POST /networks/create`. */
export function specOf(of: {
  readonly installation: string;
  readonly name: string;
  readonly range: Range4;
  readonly projectId: string;
  readonly egress: EgressRule;
  readonly number: number;
}): object {
  const { name, range } = of;
  return {
    Name: name,
    CheckDuplicate: true,
    Driver: 'bridge',
    EnableIPv6: false,
    IPAM: {
      Driver: 'default',
      Config: [{ Subnet: formatRange4(range), Gateway: formatAddress4(range.base + 1) }],
    },
    Options: {
      'com.docker.network.bridge.name': name,
      'com.docker.network.bridge.host_binding_ipv4': '127.0.0.1',
    },
    Labels: {
      [networkLabels.installation]: of.installation,
      [networkLabels.kind]: 'network',
      [networkLabels.project]: of.projectId,
      [networkLabels.egress]: of.egress,
      [networkLabels.number]: String(of.number),
    },
  };
}

export function subnetsOf(network: EngineNetwork): Range4[] {
  const ranges = (network.IPAM?.Config ?? []).map((config) => parseRange4(config.Subnet ?? ''));
  return ranges.filter((range) => range !== undefined);
}
