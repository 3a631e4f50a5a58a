import { readdir, readFile } from 'node:fs/promises';
import { RuntimeError } from '../../ports/runtime-driver.ts';
import type { EngineInfo } from './capabilities.ts';
import { label } from './labels.ts';

export interface Gpu {
  /** NVIDIA's, such as `GPU-5a1…`. */
  readonly uuid: string;
  /** As machine types name it: `T4`. */
  readonly name: string;
}

const folder = '/proc/driver/nvidia/gpus';

/** GPUs of this machine, as NVIDIA's kernel driver lists them. */
export async function findGpus(): Promise<Gpu[]> {
  const slots = await readdir(folder).catch(() => []);
  const texts = await Promise.all(
    slots.sort().map((slot) => readFile(`${folder}/${slot}/information`, 'utf8').catch(() => '')),
  );
  return texts.map(parseGpu).filter((gpu) => gpu !== undefined);
}

/** Of lines such as `Model: Tesla T4` and `GPU UUID: GPU-…`. */
export function parseGpu(information: string): Gpu | undefined {
  const model = /^Model:\s*(.+)$/m.exec(information)?.[1];
  const uuid = /^GPU UUID:\s*(\S+)$/m.exec(information)?.[1];
  if (!model || !uuid) return undefined;
  // `Tesla T4`, `NVIDIA A100-SXM4-40GB`: the first word with a digit.
  const name = model.split(/[\s-]+/).find((word) => /\d/.test(word)) ?? model;
  return { uuid, name };
}

/** How the engine hands GPUs out; undefined: it does not. */
export function gpuDriverOf(info: EngineInfo): 'nvidia' | 'cdi' | undefined {
  if (info.Runtimes && 'nvidia' in info.Runtimes) return 'nvidia';
  const devices = info.DiscoveredDevices ?? [];
  const listed = devices.some(({ Source, ID }) => Source === 'cdi' && ID.startsWith(cdiKind));
  return listed ? 'cdi' : undefined;
}

const cdiKind = 'nvidia.com/gpu=';

/** An entry of `HostConfig.DeviceRequests`. */
export function gpuRequest(driver: 'nvidia' | 'cdi', uuids: readonly string[]): object {
  if (driver === 'cdi') return { Driver: 'cdi', DeviceIDs: uuids.map((uuid) => cdiKind + uuid) };
  return { Driver: 'nvidia', DeviceIDs: uuids, Capabilities: [['gpu']] };
}

/** GPUs that containers of this or other installations were given, by their labels. */
export function gpusInUse(
  containers: readonly { readonly Labels: Readonly<Record<string, string>> | null }[],
): Set<string> {
  const given = containers.flatMap(({ Labels }) => Labels?.[label.gpus]?.split(',') ?? []);
  return new Set(given.filter(Boolean));
}

/** Throws `invalid-spec` where there are not so many, or `in-use` where others have them. */
export function chooseGpus(
  all: readonly Gpu[],
  used: ReadonlySet<string>,
  wanted: { readonly name: string; readonly count: number },
): string[] {
  const fitting = all.filter(({ name }) => name.toLowerCase() === wanted.name.toLowerCase());
  if (fitting.length < wanted.count) {
    const there = all.length > 0 ? all.map(({ name }) => name).join(', ') : 'none';
    const message = `The machine has not ${wanted.count} × ${wanted.name}: its GPUs are ${there}.`;
    throw new RuntimeError('invalid-spec', message);
  }
  const free = fitting.filter(({ uuid }) => !used.has(uuid));
  if (free.length < wanted.count) {
    const message = `Other instances have the machine's GPUs: ${free.length} of ${fitting.length} ${wanted.name} are free.`;
    throw new RuntimeError('in-use', message);
  }
  return free.slice(0, wanted.count).map(({ uuid }) => uuid);
}

export function countGpus(all: readonly Gpu[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { name } of all) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}
