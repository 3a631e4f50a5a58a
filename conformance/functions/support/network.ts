/**
 * A network of a test's own: an engine with bridges and packet filter rules, and a server beside it, in a
 * network namespace. The machine's rules stay as they are, no two engines see each other's, and all of it is
 * gone with the namespace.
 *
 *   the machine 10.254.x.y+1 ── veth ── up0 10.254.x.y+2, DNAT to 127.0.0.1 │ lo, bridges, containers
 *
 * So what listens on loopback in there is reached from here by the namespace's address.
 */
import { spawnSync } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

export interface Network {
  readonly name: string;
  /** IPv4 of what is inside, as seen from the machine: any port of its loopback. */
  readonly address: string;
  /** IPv4 of the machine's end, as seen from inside. */
  readonly hostAddress: string;
  /** A command line that runs inside. */
  inside(program: string, args: readonly string[]): { program: string; args: string[] };
  /** Runs a program inside; throws where it fails. */
  run(program: string, ...args: string[]): string;
  /** Ends every process inside, those in containers included, and takes the namespace away. */
  remove(): Promise<void>;
}

const namespaces = '/run/netns';
const prefix = 'gantry';

/** Why there can be none here. */
export function needsNetwork(): string | undefined {
  if (process.platform !== 'linux') return 'network namespaces need Linux';
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  for (const program of ['ip', 'nsenter', 'iptables']) {
    if (spawnSync(program, ['--version']).error) return `${program} is not installed`;
  }
  const probe = `${prefix}-${process.pid}-probe`;
  const made = spawnSync('ip', ['netns', 'add', probe], { encoding: 'utf8' });
  spawnSync('ip', ['netns', 'delete', probe]);
  return made.status === 0 ? undefined : `no network namespaces: ${made.stderr.trim()}`;
}

export async function makeNetwork(): Promise<Network> {
  await sweep();
  const id = randomBytes(3).toString('hex');
  const name = `${prefix}-${process.pid}-${id}`;
  const device = `gv-${id}`;
  // A /30 of 10.254.0.0/16 by chance: a taken one is refused by the second of two routes.
  const base = randomInt(0, 1 << 14) * 4;
  const at = (offset: number) => `10.254.${base >> 8}.${(base & 0xff) + offset}`;
  const [hostAddress, address] = [at(1), at(2)];
  must('ip', 'netns', 'add', name);
  const inside = (program: string, args: readonly string[]) => ({
    program: 'nsenter',
    args: [`--net=${namespaces}/${name}`, '--', program, ...args],
  });
  const run = (program: string, ...args: string[]) => {
    const line = inside(program, args);
    return must(line.program, ...line.args);
  };
  const remove = () => removeNamespace(name);
  try {
    run('ip', 'link', 'set', 'lo', 'up');
    must('ip', 'link', 'add', device, 'type', 'veth', 'peer', 'name', 'up0', 'netns', name);
    must('ip', 'address', 'add', `${hostAddress}/30`, 'dev', device);
    must('ip', 'link', 'set', device, 'up');
    run('ip', 'address', 'add', `${address}/30`, 'dev', 'up0');
    run('ip', 'link', 'set', 'up0', 'up');
    run('ip', 'route', 'add', 'default', 'via', hostAddress);
    run('sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv4.conf.up0.route_localnet=1');
    run(
      ...(['iptables', '-w', '-t', 'nat', '-A', 'PREROUTING', '-i', 'up0', '-p', 'tcp'] as const),
      ...['-d', address, '-j', 'DNAT', '--to-destination', '127.0.0.1'],
    );
  } catch (error) {
    await remove();
    throw error;
  }
  return { name, address, hostAddress, inside, run, remove };
}

/** Namespaces whose makers are gone: of runs that were killed. */
async function sweep(): Promise<void> {
  if (!existsSync(namespaces)) return;
  for (const name of readdirSync(namespaces)) {
    const maker = new RegExp(`^${prefix}-(\\d+)-`).exec(name)?.[1];
    if (maker && !existsSync(`/proc/${maker}`)) await removeNamespace(name);
  }
}

async function removeNamespace(name: string): Promise<void> {
  const deadline = performance.now() + 10_000;
  for (;;) {
    const pids = processesOf(name);
    if (pids.length === 0 || performance.now() > deadline) break;
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It ended by itself.
      }
    }
    await delay(20);
  }
  spawnSync('ip', ['netns', 'delete', name]);
}

/** Processes in the namespace, and below them: containers have namespaces of their own. */
function processesOf(name: string): number[] {
  const { stdout } = spawnSync('ip', ['netns', 'pids', name], { encoding: 'utf8' });
  const found = new Set(stdout.split('\n').filter(Boolean).map(Number));
  const parents = new Map<number, number>();
  for (const entry of readdirSync('/proc')) {
    const parent = /^\d+$/.test(entry) ? parentOf(entry) : undefined;
    if (parent !== undefined) parents.set(Number(entry), parent);
  }
  for (let grew = true; grew; ) {
    grew = false;
    for (const [pid, parent] of parents) {
      if (!found.has(parent) || found.has(pid)) continue;
      found.add(pid);
      grew = true;
    }
  }
  found.delete(process.pid);
  return [...found];
}

/** Undefined where it has ended. */
function parentOf(pid: string): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const [state, parent] = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return state === 'Z' ? undefined : Number(parent);
  } catch {
    return undefined;
  }
}

function must(program: string, ...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: 'utf8' });
  if (status === 0) return stdout;
  throw new Error(`${program} ${args.join(' ')}: ${error?.message ?? stderr.trim()}`);
}
