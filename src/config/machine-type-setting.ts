import { parseBytes } from './units.ts';

/** `name=cores/memory` or `name=cores/memory/gpu*count`; undefined where it is neither. */
export function parseMachineType(given: string):
  | {
      name: string;
      cpus: number;
      memory: number;
      gpu: { name: string; count: number } | undefined;
    }
  | undefined {
  const match =
    /^([A-Za-z0-9][A-Za-z0-9-]{0,31})=(\d{1,4}(?:\.\d{1,3})?)\/([^/]+)(?:\/([A-Za-z0-9][A-Za-z0-9-]{0,31})\*([1-9]\d?))?$/.exec(
      given,
    );
  if (!match) return undefined;
  const [, name, cores, size, gpu, count] = match;
  const cpus = Number(cores);
  const memory = parseBytes(size!);
  // Below these no container starts.
  if (cpus < 0.01 || memory === undefined || memory < 16 * 2 ** 20) return undefined;
  return {
    name: name!,
    cpus,
    memory,
    gpu: gpu === undefined ? undefined : { name: gpu, count: Number(count) },
  };
}
