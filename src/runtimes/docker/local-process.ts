/** What this machine's /proc tells of a container's processes, where the engine runs on this machine. */
import { readFile } from 'node:fs/promises';

export type BoundTo = 'loopback' | 'elsewhere';

/** TCP sockets that listen on the port in the network of that process; none where that cannot be read. */
export async function listeners(pid: number, port: number): Promise<BoundTo[]> {
  const [four, six] = await Promise.all(
    ['tcp', 'tcp6'].map((table) => readFile(`/proc/${pid}/net/${table}`, 'latin1').catch(() => '')),
  );
  return [...parseListeners(four!, port), ...parseListeners(six!, port)];
}

/** Of a table of /proc/net/tcp or tcp6 (proc_net_tcp in the kernel's documentation). */
export function parseListeners(table: string, port: number): BoundTo[] {
  const found: BoundTo[] = [];
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  for (const line of table.split('\n').slice(1)) {
    const [, local, , state] = line.trim().split(/\s+/);
    // 0A is LISTEN.
    if (state !== '0A' || !local?.endsWith(suffix)) continue;
    found.push(isLoopback(local.slice(0, -suffix.length)) ? 'loopback' : 'elsewhere');
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
