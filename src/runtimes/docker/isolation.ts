import type { RuntimeEvent } from '../../ports/runtime-driver.ts';
import type { Buckets } from './buckets/buckets.ts';
import { watchDisks } from './disk-watch.ts';
import type { EngineAddress } from './engine-address.ts';
import type { EngineCalls } from './engine-calls.ts';
import { label } from './labels.ts';
import { type NetworkGuard, startNetworkGuard } from './network-guard/guard.ts';
import { helperLine } from './network-guard/helper-line.ts';
import { publicEndpoints } from './network-guard/public-endpoints.ts';
import { hostResolvers } from './network-guard/resolvers.ts';
import type { Networks } from './networks.ts';
import { type DockerVolumes, nameInEngine } from './volumes.ts';

/** What keeps instances from the host, from each other, and from filling its disk. */
export interface Isolation {
  /** What capabilities say of it; the first time once the rules are proven, or known not to be. */
  state(): Promise<{ readonly networkGuard: boolean; readonly missing: readonly string[] }>;
  /** Told before an instance is ended for its disk, until the answer is called. */
  onDiskFull(listener: (event: RuntimeEvent) => void): () => void;
  close(): Promise<void>;
}

export interface IsolationSettings {
  /** `address:port` that every function may reach. */
  readonly reach: readonly string[];
  /** URLs of this installation that are meant for everyone. */
  readonly publicUrls: readonly string[];
  /** Ranges that projects with open egress may reach. */
  readonly privateRanges: readonly string[];
  /** Milliseconds between two measurements of writable layers. */
  readonly diskCheck: number;
  /** What the operator should know now. */
  readonly tell?: (message: string) => void;
}

export interface IsolationDeps {
  readonly engine: EngineCalls;
  readonly address: EngineAddress;
  readonly networks: Networks;
  readonly installation: string;
  readonly network: { readonly pool: string; readonly subnetBits: number };
  readonly buckets: Buckets;
  readonly volumes: Pick<DockerVolumes, 'limits'>;
  /** Name servers of instances; empty: the host's. */
  readonly dns: readonly string[];
  /** The engine's data folder. */
  readonly dataRoot: string;
  /** Whether the engine itself limits writable layers. */
  readonly diskQuota: boolean;
  readonly settings: IsolationSettings;
}

const sweepMs = 15_000;

export async function startIsolation(deps: IsolationDeps): Promise<Isolation> {
  const { engine, address, networks, installation, settings } = deps;
  const { tell = () => {} } = settings;
  const root = process.getuid?.() === 0;
  const guard = address.local ? await guardOf(deps, root) : undefined;
  const listeners = new Set<(event: RuntimeEvent) => void>();
  const watch = watchDisks({
    engine,
    installation,
    quota: deps.diskQuota,
    local: address.local && root && process.platform === 'linux',
    dataRoot: deps.dataRoot,
    intervalMs: settings.diskCheck,
    folders: () => [
      ...deps.buckets.caches(),
      ...deps.volumes.limits((name, used) => void endUsers(name, used).catch(() => {})),
    ],
    tell,
    full({ id, instanceId }) {
      const event = { type: 'disk-full', id, instanceId, at: Date.now() } as const;
      for (const listener of listeners) listener(event);
    },
  });
  /** Of a volume that holds too much; what starts next is refused by the volume. */
  async function endUsers(name: string, used: number): Promise<void> {
    const filters = {
      volume: [nameInEngine(name)],
      label: [`${label.installation}=${installation}`],
      status: ['running', 'paused'],
    };
    const found = await engine.call<{ Id: string; Labels: Record<string, string> | null }[]>({
      ...{ method: 'GET', path: '/containers/json', query: { filters: JSON.stringify(filters) } },
    });
    if (found.length > 0) tell(`The volume ${name} holds ${used} bytes, more than it may.`);
    for (const { Id: id, Labels } of found) {
      const instanceId = Labels?.[label.instance] ?? '';
      const event = { type: 'volume-full', id, instanceId, at: Date.now() } as const;
      for (const listener of listeners) listener(event);
      await watch.kill(id).catch(() => {});
    }
  }
  // An engine that does not answer now has its networks swept the next time.
  const sweep = setInterval(() => {
    void networks.removeUnused().catch(() => {});
    void deps.buckets.sweep().catch(() => {});
  }, sweepMs).unref();
  return {
    async state() {
      if (!guard) {
        return {
          networkGuard: false,
          missing: [
            'Networks of functions are not guarded: the container engine is on another machine.',
          ],
        };
      }
      const { proven, missing } = await guard.status();
      return { networkGuard: proven, missing };
    },
    onDiskFull(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    async close() {
      clearInterval(sweep);
      await Promise.all([guard?.close(), watch.close()]);
    },
  };
}

async function guardOf(deps: IsolationDeps, root: boolean): Promise<NetworkGuard> {
  const { installation, network, settings, networks } = deps;
  const rules = {
    installation,
    pool: network.pool,
    reach: [
      ...new Set([...settings.reach, ...(await publicEndpoints(settings.publicUrls))]),
    ].sort(),
    dns: deps.dns.length > 0 ? deps.dns : await hostResolvers(),
    privateRanges: settings.privateRanges,
  };
  const line = { subnetBits: network.subnetBits, dockerHost: deps.address.name };
  return startNetworkGuard({
    ...rules,
    networks,
    root,
    helperLine: helperLine(rules, line),
    ...(settings.tell ? { tell: settings.tell } : {}),
  });
}
