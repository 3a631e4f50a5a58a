import type { InstanceExit, RuntimeInstance } from '../../ports/runtime-driver.ts';
import { readLabels } from './labels.ts';

/** What is read of `GET /containers/{id}/json`. */
export interface Inspected {
  readonly Id: string;
  readonly Name: string;
  readonly State: {
    readonly Status: string;
    readonly Running: boolean;
    readonly Paused: boolean;
    readonly OOMKilled: boolean;
    readonly Pid: number;
    readonly ExitCode: number;
    readonly Error: string;
  };
  readonly Config: { readonly Labels: Readonly<Record<string, string>> | null };
  readonly NetworkSettings: {
    readonly Networks: Readonly<Record<string, { readonly IPAddress?: string } | null>> | null;
  };
  readonly Mounts?: readonly {
    readonly Type: string;
    readonly Name?: string;
    readonly Source: string;
  }[];
  readonly SizeRw?: number;
}

/** What is read of an entry of `GET /containers/json`. */
export interface Listed {
  readonly Id: string;
  readonly ImageID: string;
  readonly State: string;
  readonly Labels: Readonly<Record<string, string>> | null;
  readonly NetworkSettings?: Inspected['NetworkSettings'];
}

const states: Readonly<Record<string, RuntimeInstance['state']>> = {
  created: 'created',
  running: 'running',
  restarting: 'running',
  paused: 'frozen',
};

export function stateOf(status: string): RuntimeInstance['state'] {
  return states[status] ?? 'ended';
}

export function addressOf(networks: Inspected['NetworkSettings'] | undefined): string | undefined {
  for (const network of Object.values(networks?.Networks ?? {})) {
    if (network?.IPAddress) return network.IPAddress;
  }
  return undefined;
}

export function exitOf(state: Inspected['State']): InstanceExit {
  return { code: state.ExitCode, outOfMemory: state.OOMKilled };
}

/** Undefined where the container is no instance of Gantry's. */
export function instanceOf(inspected: Inspected): RuntimeInstance | undefined {
  const read = readLabels(inspected.Config.Labels);
  if (!read) return undefined;
  const state = stateOf(inspected.State.Status);
  const runs = state === 'running' || state === 'frozen';
  return {
    id: inspected.Id,
    ...read,
    state,
    address: runs ? addressOf(inspected.NetworkSettings) : undefined,
    exit: state === 'ended' ? exitOf(inspected.State) : undefined,
  };
}
