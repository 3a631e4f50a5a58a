import type { InstanceExit, RuntimeInstance } from '../../ports/runtime-driver.ts';
import { label, readLabels } from './labels.ts';

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
    readonly Destination?: string;
  }[];
  readonly SizeRw?: number;
}

/** What is read of an entry of `GET /containers/json`. */
export interface Listed {
  readonly Id: string;
  /** As it was named when the container was made. */
  readonly Image: string;
  readonly ImageID: string;
  readonly State: string;
  readonly Labels: Readonly<Record<string, string>> | null;
  readonly NetworkSettings?: Inspected['NetworkSettings'];
  readonly Mounts?: Inspected['Mounts'];
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
  const { Id, State, Config, NetworkSettings } = inspected;
  const instance = of(Id, State.Status, Config.Labels, NetworkSettings, inspected.Mounts);
  return instance?.state === 'ended' ? { ...instance, exit: exitOf(State) } : instance;
}

/** The same, without how it ended. */
export function listedInstance(entry: Listed): RuntimeInstance | undefined {
  if (entry.State === 'removing') return undefined;
  return of(entry.Id, entry.State, entry.Labels, entry.NetworkSettings, entry.Mounts);
}

function of(
  id: string,
  status: string,
  labels: Listed['Labels'],
  networks: Inspected['NetworkSettings'] | undefined,
  mounts: Inspected['Mounts'],
): RuntimeInstance | undefined {
  const read = readLabels(labels);
  if (!read) return undefined;
  const state = stateOf(status);
  const runs = state === 'running' || state === 'frozen';
  const mounted = (mounts ?? [])
    .filter(({ Type, Destination }) => Type === 'bind' && Destination !== undefined)
    .map(({ Source, Destination }) => ({ path: Destination!, source: Source }));
  const files = copiedFiles(labels?.[label.files]) ?? mounted;
  const address = runs ? addressOf(networks) : undefined;
  return { id, ...read, state, address, exit: undefined, files };
}

/** Undefined where none are copied, but mounted. */
function copiedFiles(text: string | undefined): { path: string; source: string }[] | undefined {
  if (!text) return undefined;
  const found = textToJson(text);
  const isFile = (one: unknown): one is { path: string; source: string } => {
    const { path, source } = (one ?? {}) as Record<string, unknown>;
    return typeof path === 'string' && typeof source === 'string';
  };
  return Array.isArray(found) ? found.filter(isFile) : undefined;
}

/** Undefined where others wrote what is none. */
function textToJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
