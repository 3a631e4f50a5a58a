import { readFile } from 'node:fs/promises';

/** Folders of a container's cgroup on this machine. */
export type Cgroup =
  | { readonly version: 2; readonly path: string }
  | {
      readonly version: 1;
      readonly cpuacct: string;
      readonly memory: string;
      readonly pids: string;
      readonly freezer: string;
    };

/** Where the processes of containers are counted and frozen; looked up once for each run of one. */
export class Cgroups {
  readonly #local: boolean;
  readonly #known = new WeakMap<{ readonly pid: number }, Promise<Cgroup | undefined>>();

  /** `local`: the engine runs on this machine. */
  constructor(local: boolean) {
    this.#local = local;
  }

  of(id: string, whereabouts: { readonly pid: number }): Promise<Cgroup | undefined> {
    if (!this.#local) return Promise.resolve(undefined);
    const known = this.#known.get(whereabouts);
    if (known) return known;
    const found = findCgroup(whereabouts.pid, id);
    this.#known.set(whereabouts, found);
    return found;
  }
}

/** Undefined where the process is not of that container, or its cgroup is not seen from here. */
export async function findCgroup(pid: number, id: string): Promise<Cgroup | undefined> {
  const [membership, mounts] = await Promise.all(
    [`/proc/${pid}/cgroup`, '/proc/self/mountinfo'].map((path) =>
      readFile(path, 'latin1').catch(() => ''),
    ),
  );
  return placeCgroup(membership!, mounts!, id);
}

/** `membership`: /proc/<pid>/cgroup (cgroups(7)); `mounts`: /proc/self/mountinfo (proc_pid_mountinfo(5)). */
export function placeCgroup(membership: string, mounts: string, id: string): Cgroup | undefined {
  const paths = new Map<string, string>();
  for (const line of membership.split('\n')) {
    const [hierarchy, controllers, ...rest] = line.split(':');
    const path = rest.join(':');
    if (hierarchy === undefined || controllers === undefined || !path.includes(id)) continue;
    for (const controller of controllers.split(',')) paths.set(controller, path);
  }
  const places = mounts.split('\n').map(parseMount);
  const folderOf = (controller: string) => {
    const path = paths.get(controller);
    if (path === undefined) return undefined;
    for (const mount of places) {
      if (!mount) continue;
      const holds =
        controller === ''
          ? mount.type === 'cgroup2'
          : mount.type === 'cgroup' && mount.options.includes(controller);
      if (!holds) continue;
      if (mount.root === '/') return `${mount.at}${path}`;
      if (path.startsWith(`${mount.root}/`)) return `${mount.at}${path.slice(mount.root.length)}`;
    }
    return undefined;
  };
  const [cpuacct, memory, pids, freezer] = ['cpuacct', 'memory', 'pids', 'freezer'].map(folderOf);
  if (cpuacct && memory && pids && freezer) {
    return { version: 1, cpuacct, memory, pids, freezer };
  }
  const path = folderOf('');
  return path === undefined ? undefined : { version: 2, path };
}

/** `36 35 98:0 /root /at rw - type source options`. */
function parseMount(line: string) {
  const [before, after] = line.split(' - ');
  if (before === undefined || after === undefined) return undefined;
  const [, , , root, at] = before.split(' ');
  const [type, , options] = after.split(' ');
  if (!root || !at || !type) return undefined;
  return { root, at, type, options: (options ?? '').split(',') };
}

/** Whether none of its processes runs. */
export async function isCgroupFrozen(cgroup: Cgroup): Promise<boolean> {
  const path =
    cgroup.version === 2 ? `${cgroup.path}/cgroup.events` : `${cgroup.freezer}/freezer.state`;
  const text = await readFile(path, 'latin1').catch(() => '');
  return cgroup.version === 2 ? /^frozen 1$/m.test(text) : text.trim() === 'FROZEN';
}
