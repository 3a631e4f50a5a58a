import { readFile } from 'node:fs/promises';
import { type EgressRule, RuntimeError } from '../../ports/runtime-driver.ts';
import { type EngineCalls, statusOf } from './engine-calls.ts';
import { bridgeName, searchStart } from './network-names.ts';
import { type EngineNetwork, networkLabels, specOf, subnetsOf } from './network-spec.ts';
import {
  firstFree,
  formatAddress4,
  formatRange4,
  parseRange4,
  placesOf,
  type Range4,
  routedRanges,
  subnetCount,
} from './subnet-pool.ts';

/** Networks of projects: each its own bridge and a small subnet of its own, no IPv6, made when needed. */
export interface Networks {
  /**
   * The name of a network of the project with room for one more container, which has to be made within a
   * minute, or the network may be gone again. Rejects with `unavailable`: the pool is used up, or the engine
   * does not do it.
   */
  ensureNetwork(projectId: string, egress: EgressRule): Promise<string>;
  /** The engine does not know that network any more: the next `ensureNetwork` makes it anew. */
  forget(name: string): void;
  /** What `ensureNetwork` named. */
  find(name: string): ProjectNetwork | undefined;
  /** How many there are. */
  count(): number;
  /** Removes one now; does nothing where containers are in it, or it is gone. */
  remove(name: string): Promise<void>;
  /** Removes networks without containers, running or not; tells how many. */
  removeUnused(): Promise<number>;
}

export interface ProjectNetwork {
  readonly id: string;
  /** Of the network, and of its bridge on the host. */
  readonly name: string;
  /** `10.213.4.0/26`. */
  readonly subnet: string;
  /** The host's address in it. */
  readonly gateway: string;
}

export interface NetworkOptions {
  readonly installation: string;
  /** The range that subnets are cut from. */
  readonly pool?: string;
  /** Of one network: 26 has room for 61 containers. */
  readonly subnetBits?: number;
  /** Whether the networks are this machine's own; else its routes through others may lead to them. */
  readonly local?: boolean;
  /** UTC milliseconds. */
  readonly now?: () => number;
}

/** How long a network is kept for a container that is about to be made in it. */
const graceMs = 60_000;
/** A container that was asked for and is not listed after this time is taken for not made. */
const pendingMs = 10_000;
/** Others may take a subnet between the look and the creation; each time another one is tried. */
const attempts = 20;

interface Held extends ProjectNetwork {
  readonly key: string;
  readonly number: number;
  readonly places: number;
  /** Containers at the last count. */
  counted: number;
  /** Times of `ensure` since then, and shortly before. */
  grants: number[];
  /** Of the last `ensure`. */
  askedAt: number;
}

export function openNetworks(engine: EngineCalls, options: NetworkOptions): Networks {
  const { installation, subnetBits = 26, local = true, now = Date.now } = options;
  const given = parseRange4(options.pool ?? '10.213.0.0/16');
  if (!given || subnetCount(given, subnetBits) < 1 || placesOf(subnetBits) < 1)
    throw new Error(`No subnets of /${subnetBits} in ${options.pool}.`);
  const pool: Range4 = given;
  const held = new Map<string, Held>();
  const queues = new Map<string, Promise<unknown>>();
  let adopted: Promise<void> | undefined;

  function listNetworks(): Promise<EngineNetwork[]> {
    return engine.call({ method: 'GET', path: '/networks' });
  }

  /** One at a time for a project: two creates at once end up in one network. */
  function inTurn<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = queues.get(key) ?? Promise.resolve();
    const mine = before.then(work, work);
    const settled = mine.catch(() => {});
    queues.set(key, settled);
    void settled.then(() => {
      if (queues.get(key) === settled) queues.delete(key);
    });
    return mine;
  }

  async function adopt(): Promise<void> {
    for (const network of await listNetworks()) {
      const labels = network.Labels ?? {};
      if (labels[networkLabels.installation] !== installation) continue;
      const project = labels[networkLabels.project];
      const egress = labels[networkLabels.egress];
      const subnet = network.IPAM?.Config?.[0]?.Subnet;
      const range = subnet === undefined ? undefined : parseRange4(subnet);
      if (project === undefined || !range) continue;
      hold(keyOf(project, egress === 'open' ? 'open' : 'public'), {
        id: network.Id,
        name: network.Name,
        range,
        number: Number(labels[networkLabels.number]),
      });
    }
    await Promise.all([...held.values()].map(count));
  }

  function adoptOnce(): Promise<void> {
    adopted ??= adopt().catch((error) => {
      adopted = undefined;
      throw error;
    });
    return adopted;
  }

  function hold(key: string, of: { id: string; name: string; range: Range4; number: number }) {
    const network: Held = {
      key,
      id: of.id,
      name: of.name,
      subnet: formatRange4(of.range),
      gateway: formatAddress4(of.range.base + 1),
      number: of.number,
      places: placesOf(of.range.bits),
      counted: 0,
      grants: [],
      askedAt: now(),
    };
    held.set(of.name, network);
    return network;
  }

  /**
   * Containers that name the network, created ones with them: a network's own list has only those that run,
   * and a created one knows the network's name, not yet its id.
   */
  async function count(network: Held): Promise<void> {
    const at = now();
    const listed = await engine.call<unknown[]>({
      method: 'GET',
      path: '/containers/json',
      query: { all: true, filters: JSON.stringify({ network: [network.name, network.id] }) },
    });
    network.counted = listed.length;
    network.grants = network.grants.filter((grant) => grant > at - pendingMs);
  }

  async function withRoom(network: Held): Promise<boolean> {
    const full = () => network.counted + network.grants.length >= network.places;
    if (full()) await count(network);
    return !full();
  }

  async function ensureNetwork(projectId: string, egress: EgressRule): Promise<string> {
    await adoptOnce();
    const key = keyOf(projectId, egress);
    return inTurn(key, async () => {
      for (let number = 0; ; number++) {
        const name = bridgeName(installation, projectId, egress, number);
        const network = held.get(name) ?? (await make(name, projectId, egress, number));
        if (!(await withRoom(network))) continue;
        network.askedAt = now();
        network.grants.push(network.askedAt);
        return network.name;
      }
    });
  }

  async function make(name: string, projectId: string, egress: EgressRule, number: number) {
    const refused: Range4[] = [];
    for (let attempt = 0; attempt < attempts; attempt++) {
      const networks = await listNetworks();
      const there = networks.find((network) => network.Name === name);
      if (there) {
        const range = parseRange4(there.IPAM?.Config?.[0]?.Subnet ?? '');
        if (range && there.Labels?.[networkLabels.installation] === installation)
          return hold(keyOf(projectId, egress), { id: there.Id, name, range, number });
        throw new RuntimeError(
          'unavailable',
          `The engine has a network ${name} of another origin.`,
        );
      }
      const taken = [...networks.flatMap(subnetsOf), ...(await routed()), ...refused];
      const start = searchStart(name, subnetCount(pool, subnetBits));
      const range = firstFree(pool, subnetBits, start, taken);
      if (!range) throw usedUp();
      try {
        const { Id } = await engine.call<{ Id: string }>({
          method: 'POST',
          path: '/networks/create',
          body: specOf({ installation, name, range, projectId, egress, number }),
        });
        return hold(keyOf(projectId, egress), { id: Id, name, range, number });
      } catch (error) {
        // Made by another process meanwhile: found at the next look.
        if (statusOf(error) === 409) continue;
        if (!/overlap|already allocated|conflicts with network/i.test(String(error)))
          throw new RuntimeError('unavailable', `No network for the project: ${reason(error)}`, {
            cause: error,
          });
        refused.push(range);
      }
    }
    throw usedUp();
  }

  function usedUp(): RuntimeError {
    return new RuntimeError(
      'unavailable',
      `No free subnet of /${subnetBits} is left in ${formatRange4(pool)} for the project's network: ` +
        'give functions a wider range (functionsNetwork), or wait until others end.',
    );
  }

  async function routed(): Promise<Range4[]> {
    // Of this machine, also for an engine elsewhere: what has the same addresses here would be met in its stead.
    const text = await readFile('/proc/net/route', 'utf8').catch(() => '');
    return routedRanges(text, pool, { gateways: local });
  }

  const old = (network: Held) => network.askedAt <= now() - graceMs;

  async function removeOne(network: Held): Promise<boolean> {
    await count(network);
    if (network.counted > 0) return false;
    try {
      await engine.call({ method: 'DELETE', path: `/networks/${network.id}` });
    } catch (error) {
      // In use after all (403): kept. Gone already (404): as wished.
      if (statusOf(error) !== 404) return false;
    }
    held.delete(network.name);
    return true;
  }

  return {
    ensureNetwork,
    find: (name) => held.get(name),
    count: () => held.size,
    forget: (name) => void held.delete(name),
    async remove(name) {
      const network = held.get(name);
      if (network) await inTurn(network.key, () => removeOne(network));
    },
    async removeUnused() {
      await adoptOnce();
      let removed = 0;
      for (const network of [...held.values()])
        if (await inTurn(network.key, async () => old(network) && (await removeOne(network))))
          removed++;
      return removed;
    },
  };
}

function keyOf(projectId: string, egress: EgressRule): string {
  return `${egress} ${projectId}`;
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
