import type { RuntimeCapabilities } from '../ports/runtime-driver.ts';
import type { MachineType } from './instance.ts';

const MiB = 2 ** 20;
const GiB = 2 ** 30;

const plain = (name: string, cpus: number, memory: number): MachineType => ({
  name,
  cpus,
  memory,
  gpu: undefined,
});
const withGpu = (gpu: string, cpus: number, memory: number): MachineType => ({
  name: `GPU-${gpu}`,
  cpus,
  memory,
  gpu: { name: gpu, count: 1 },
});

/** Those that every installation has. */
export const defaultMachineTypes: readonly MachineType[] = [
  plain('XS', 0.25, 512 * MiB),
  plain('S', 1, 2 * GiB),
  plain('M', 2, 4 * GiB),
  plain('L', 4, 8 * GiB),
  withGpu('T4', 4, 16 * GiB),
  withGpu('A10G', 4, 16 * GiB),
  withGpu('A100', 12, 96 * GiB),
  withGpu('H100', 16, 192 * GiB),
];

/** What a service without a `machineType` runs on: the first that the host can give. */
const defaultsInOrder = ['S', 'XS'] as const;

/** The machine types of an installation. */
export interface MachineTypes {
  readonly byName: ReadonlyMap<string, MachineType>;
  /** Name of what a service runs on that says nothing. */
  readonly fallback: string;
}

/** Entries of the setting (`changes`) go before the defaults of the same name. `host`: undefined where none is known. */
export function machineTypes(changes: readonly MachineType[], host?: Host): MachineTypes {
  const byName = new Map([...defaultMachineTypes, ...changes].map((type) => [type.name, type]));
  const given = defaultsInOrder.find(
    (name) => !host || whyNotMachine(host, byName.get(name)!) === undefined,
  );
  return { byName, fallback: given ?? defaultsInOrder[0] };
}

/** The machine of that name, or why there is none, as a sentence for people. */
export function findMachine(
  types: MachineTypes,
  name: string | undefined,
): { readonly machine: MachineType } | { readonly problem: string } {
  const machine = types.byName.get(name ?? types.fallback);
  if (machine) return { machine };
  return {
    problem: `There is no machine type ${name}: there are ${[...types.byName.keys()].join(', ')}.`,
  };
}

type Host = Pick<RuntimeCapabilities, 'cpus' | 'memory' | 'gpus'>;

/** Why this host cannot run the machine, with what is available; undefined: it can. */
export function whyNotMachine(host: Host, machine: MachineType): string | undefined {
  const lacks: string[] = [];
  if (machine.cpus > host.cpus)
    lacks.push(`${cores(machine.cpus)} where the host has ${host.cpus}`);
  if (machine.memory > host.memory)
    lacks.push(
      `${gigabytes(machine.memory)} of memory where the host has ${gigabytes(host.memory)}`,
    );
  const { gpu } = machine;
  if (gpu && (host.gpus[gpu.name] ?? 0) < gpu.count)
    lacks.push(`${gpu.count} GPU ${gpu.name} where the host has ${gpusOf(host)}`);
  return lacks.length === 0
    ? undefined
    : `Machine type ${machine.name} needs ${lacks.join(', and ')}.`;
}

/** Names of the machine types that the host can run, for the hint beside the reason. */
export function availableMachines(host: Host, types: MachineTypes): string[] {
  return [...types.byName.values()]
    .filter((machine) => whyNotMachine(host, machine) === undefined)
    .map(({ name }) => name);
}

function gpusOf(host: Host): string {
  const found = Object.entries(host.gpus).filter(([, count]) => count > 0);
  return found.length === 0 ? 'none' : found.map(([name, count]) => `${count} ${name}`).join(', ');
}

function cores(count: number): string {
  return count === 1 ? '1 core' : `${count} cores`;
}

/** Rounded down, so that what is short by a little does not read as enough. */
function gigabytes(bytes: number): string {
  return bytes < GiB
    ? `${Math.floor(bytes / MiB)} MiB`
    : `${Math.floor((bytes / GiB) * 10) / 10} GiB`;
}
