/** What this machine's /proc tells of a container's processes, where the engine runs on this machine. */
import { readdir, readFile } from 'node:fs/promises';

export interface Listener {
  readonly port: number;
  readonly bound: 'loopback' | 'elsewhere';
}

/** TCP sockets that listen in the network of that process; none where that cannot be read. */
export async function listeners(pid: number): Promise<Listener[]> {
  const [four, six] = await Promise.all(
    ['tcp', 'tcp6'].map((table) => readFile(`/proc/${pid}/net/${table}`, 'latin1').catch(() => '')),
  );
  return [...parseListeners(four!), ...parseListeners(six!)];
}

/** Of a table of /proc/net/tcp or tcp6 (proc_net_tcp in the kernel's documentation). */
export function parseListeners(table: string): Listener[] {
  const found: Listener[] = [];
  for (const line of table.split('\n').slice(1)) {
    const [, local, , state] = line.trim().split(/\s+/);
    // 0A is LISTEN.
    if (state !== '0A' || !local) continue;
    const [address = '', port = ''] = local.split(':');
    found.push({
      port: Number.parseInt(port, 16),
      bound: isLoopback(address) ? 'loopback' : 'elsewhere',
    });
  }
  return found;
}

/** Addresses are 32-bit words in the machine's order: 127.0.0.1 is 0100007F. */
function isLoopback(hex: string): boolean {
  if (hex.length === 8) return hex.endsWith('7F');
  if (hex === '00000000000000000000000001000000') return true;
  return hex.startsWith('0000000000000000FFFF0000') && hex.endsWith('7F');
}

/**
 * Whether that process of this machine is of that container: an engine in a virtual machine gives numbers of
 * its own, which here are others' or nobody's.
 */
export async function isOfContainer(pid: number, id: string): Promise<boolean> {
  const cgroups = await readFile(`/proc/${pid}/cgroup`, 'latin1').catch(() => '');
  return cgroups.includes(id);
}

/** SIGKILL to a process and all below it; those that it made meanwhile are found by the next look. */
export async function killTree(pid: number): Promise<void> {
  for (let look = 0; look < 5; look++) {
    const below = await descendants(pid);
    for (const each of [...below, pid]) {
      try {
        process.kill(each, 'SIGKILL');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    }
    if (below.length === 0) return;
  }
}

async function descendants(pid: number): Promise<number[]> {
  const found: number[] = [];
  const open = [pid];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const threads = await readdir(`/proc/${next}/task`).catch(() => []);
    for (const thread of threads) {
      const text = await readFile(`/proc/${next}/task/${thread}/children`, 'latin1').catch(
        () => '',
      );
      const children = text.split(' ').filter(Boolean).map(Number);
      found.push(...children);
      open.push(...children);
    }
  }
  return found;
}
