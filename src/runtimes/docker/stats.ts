import { readFile } from 'node:fs/promises';
import { type InstanceStats, RuntimeError } from '../../ports/runtime-driver.ts';
import type { Cgroup, Cgroups } from './cgroup.ts';
import type { Engine } from './engine.ts';
import type { Whereabouts } from './instances.ts';
import { pathOf } from './next-end.ts';
import { hasStatus, noSuchInstance, refused } from './refusals.ts';

/** What is read of `GET /containers/{id}/stats`. */
interface EngineStats {
  readonly cpu_stats?: { readonly cpu_usage?: { readonly total_usage?: number } };
  readonly memory_stats?: {
    readonly usage?: number;
    readonly stats?: Readonly<Record<string, number>>;
  };
  readonly pids_stats?: { readonly current?: number };
}

/** Reads cgroups, without the engine; asks that where they are not of this machine. */
export class StatsReader {
  readonly #engine: Engine;
  readonly #cgroups: Cgroups;

  constructor(engine: Engine, cgroups: Cgroups) {
    this.#engine = engine;
    this.#cgroups = cgroups;
  }

  async read(id: string, whereabouts: Whereabouts): Promise<InstanceStats> {
    const cgroup = await this.#cgroups.of(id, whereabouts);
    if (!cgroup) return this.#ask(id);
    try {
      return cgroup.version === 2 ? await readSecond(cgroup.path) : await readFirst(cgroup);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT' && code !== 'ENODEV') throw error;
      throw new RuntimeError('no-such-instance', `The container ${id} does not run.`);
    }
  }

  async #ask(id: string): Promise<InstanceStats> {
    let stats: EngineStats;
    try {
      stats = await this.#engine.call({
        method: 'GET',
        path: `${pathOf(id)}/stats`,
        query: { stream: false, 'one-shot': true },
      });
    } catch (error) {
      throw hasStatus(error, 404) ? noSuchInstance(id) : refused(error, {});
    }
    const { usage = 0, stats: parts = {} } = stats.memory_stats ?? {};
    const unused = parts.total_inactive_file ?? parts.inactive_file ?? 0;
    return {
      cpuMicros: Math.floor((stats.cpu_stats?.cpu_usage?.total_usage ?? 0) / 1000),
      memory: Math.max(0, usage - unused),
      pids: stats.pids_stats?.current ?? 0,
    };
  }
}

async function readSecond(path: string): Promise<InstanceStats> {
  const [cpu, memory, parts, pids] = await Promise.all([
    text(`${path}/cpu.stat`),
    number(`${path}/memory.current`),
    text(`${path}/memory.stat`),
    number(`${path}/pids.current`),
  ]);
  const unused = entry(parts, 'inactive_file');
  return { cpuMicros: entry(cpu, 'usage_usec'), memory: Math.max(0, memory - unused), pids };
}

async function readFirst(cgroup: Extract<Cgroup, { version: 1 }>): Promise<InstanceStats> {
  const [nanos, memory, parts, pids] = await Promise.all([
    number(`${cgroup.cpuacct}/cpuacct.usage`),
    number(`${cgroup.memory}/memory.usage_in_bytes`),
    text(`${cgroup.memory}/memory.stat`),
    number(`${cgroup.pids}/pids.current`),
  ]);
  // The page cache that nothing used lately is not the instance's need: as the engine counts.
  const unused = entry(parts, 'total_inactive_file');
  return { cpuMicros: Math.floor(nanos / 1000), memory: Math.max(0, memory - unused), pids };
}

function text(path: string): Promise<string> {
  return readFile(path, 'latin1');
}

async function number(path: string): Promise<number> {
  return Number((await text(path)).trim());
}

/** Of lines `name value`. */
function entry(lines: string, name: string): number {
  const found = new RegExp(`^${name} (\\d+)$`, 'm').exec(lines);
  return found ? Number(found[1]) : 0;
}
