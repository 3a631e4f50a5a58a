import { writeFile } from 'node:fs/promises';
import { RuntimeError } from '../../ports/runtime-driver.ts';
import { type Cgroup, type Cgroups, isCgroupFrozen } from './cgroup.ts';
import { type Engine, EngineError, moment } from './engine.ts';
import type { Whereabouts } from './instances.ts';
import { pathOf } from './next-end.ts';
import { hasStatus, isAbsent, noSuchInstance, refused } from './refusals.ts';

/** The kernel freezes a cgroup in a few milliseconds, unless a process of it waits for a disk. */
const freezeLimitMs = 1_000;

export interface FreezerDeps {
  readonly engine: Engine;
  readonly cgroups: Cgroups;
  /** Rejects with `no-such-instance` where it does not run. */
  readonly whereabouts: (id: string) => Promise<Whereabouts>;
}

/**
 * Freezes containers by their cgroup where that can be written here, else by the engine. The engine starts a
 * process for each (10 ms and more, and as much for each thaw, which a request waits for); the kernel takes a write
 * to one file. The engine goes on to call such a container running.
 */
export class Freezer {
  readonly #deps: FreezerDeps;
  /** Of those that the engine has not frozen. */
  readonly #byCgroup = new Set<string>();

  constructor(deps: FreezerDeps) {
    this.#deps = deps;
  }

  async freeze(id: string): Promise<void> {
    const cgroup = await this.#cgroupOf(id);
    if (cgroup && (await freezeCgroup(cgroup))) this.#byCgroup.add(id);
    else await this.#ask(id, 'pause', /already paused/i);
  }

  async thaw(id: string): Promise<void> {
    if (!this.#byCgroup.has(id)) {
      await this.#ask(id, 'unpause', /is not paused/i);
      // Another process may have frozen it, which the engine does not know of.
      if (!(await this.isFrozen(id))) return;
    }
    const cgroup = await this.#cgroupOf(id);
    this.#byCgroup.delete(id);
    if (!cgroup) throw noSuchInstance(id);
    try {
      await writeFile(...stateOf(cgroup, false));
    } catch (error) {
      if (isGone(error)) throw noSuchInstance(id);
      throw new RuntimeError('unavailable', `The container ${id} could not be thawed.`, {
        cause: error,
      });
    }
  }

  /** By its cgroup, whoever froze it. False where that is not seen from here. */
  async isFrozen(id: string): Promise<boolean> {
    const cgroup = await this.#cgroupOf(id).catch(() => undefined);
    const frozen = cgroup !== undefined && (await isCgroupFrozen(cgroup));
    if (!frozen) this.#byCgroup.delete(id);
    return frozen;
  }

  /** It ended. */
  forget(id: string): void {
    this.#byCgroup.delete(id);
  }

  async #cgroupOf(id: string): Promise<Cgroup | undefined> {
    return this.#deps.cgroups.of(id, await this.#deps.whereabouts(id));
  }

  /** An answer that says so is the state that was asked for. */
  async #ask(id: string, action: string, already: RegExp): Promise<void> {
    try {
      await this.#deps.engine.call({ method: 'POST', path: `${pathOf(id)}/${action}` });
    } catch (error) {
      if (isAbsent(error)) throw noSuchInstance(id);
      if (error instanceof EngineError && already.test(error.message)) return;
      if (hasStatus(error, 409, 500) && /not running/i.test((error as Error).message)) {
        throw new RuntimeError('no-such-instance', `The container ${id} does not run.`);
      }
      throw refused(error, {});
    }
  }
}

/** The file that freezes, and what is written there (freezer-subsystem and cgroup-v2 of the kernel's documentation). */
function stateOf(cgroup: Cgroup, frozen: boolean): [path: string, text: string] {
  return cgroup.version === 2
    ? [`${cgroup.path}/cgroup.freeze`, frozen ? '1' : '0']
    : [`${cgroup.freezer}/freezer.state`, frozen ? 'FROZEN' : 'THAWED'];
}

/** False: it cannot be done from here, or not in time; then it is as it was. */
async function freezeCgroup(cgroup: Cgroup): Promise<boolean> {
  const deadline = performance.now() + freezeLimitMs;
  try {
    for (let wait = 1; ; wait = Math.min(wait * 2, 20)) {
      // Version 1 may stay half-way: written again, it tries those that were missed.
      await writeFile(...stateOf(cgroup, true));
      if (await isCgroupFrozen(cgroup)) return true;
      if (performance.now() > deadline) break;
      await moment(wait);
    }
    await writeFile(...stateOf(cgroup, false));
  } catch {
    // Not root, a file system that is read-only, or gone: the engine knows which.
  }
  return false;
}

function isGone(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ENODEV';
}
