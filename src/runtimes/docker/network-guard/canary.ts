import { readFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { interfacePrefix } from '../network-names.ts';
import type { Networks, ProjectNetwork } from '../networks.ts';
import type { RunProgram } from './nft.ts';
import { type Peer, placePeer } from './peer.ts';

/** How long a connection that has to be dropped is waited for: an answered one takes microseconds. */
const tryMs = 700;
const controlMs = 3_000;

export interface CanaryOptions {
  readonly installation: string;
  readonly networks: Networks;
  readonly run: RunProgram;
}

/**
 * Whether the rules hold: two networks are made by the engine, as projects have them, with a process in each
 * (no image is needed). One tries to reach the host by each of its addresses, the other project, and cloud
 * metadata: all of it has to time out, and the listeners must have met nobody. That the host reaches both is
 * asked first: else a broken network would pass for a guarded one. Gives what is wrong, as a sentence, or
 * undefined. Rejects where a program is missing or the engine does not answer.
 */
export async function flyCanary(options: CanaryOptions): Promise<string | undefined> {
  const { networks, run } = options;
  await using stack = new AsyncDisposableStack();
  const made: ProjectNetwork[] = [];
  for (const project of ['canary a', 'canary b']) {
    const name = await networks.ensureNetwork(project, 'public');
    stack.defer(() => networks.remove(name));
    if (!(await hasInterface(name))) {
      return "The container engine's networks are not on this machine, or this process is in a container without the host's network.";
    }
    made.push(networks.find(name)!);
  }
  const prefix = interfacePrefix(options.installation).replace(/^gt/, 'gc');
  const peers: Peer[] = [];
  for (const [index, network] of made.entries()) {
    const peer = await placePeer(network, `${prefix}-${index}`, run);
    stack.defer(() => peer.remove());
    peers.push(peer);
  }
  const [one, other] = peers as [Peer, Peer];
  const host = await listen();
  stack.defer(() => host.close());
  for (const peer of peers) {
    if (await greets(peer)) continue;
    return `This host does not reach instances on its bridges: ${peer.address} did not answer.`;
  }
  const before = await other.met();
  const tries: [string, number][] = [
    ...hostAddresses(made[0]!.name).map((address): [string, number] => [address, host.port]),
    [other.address, other.port],
    ['169.254.169.254', 80],
  ];
  const results = await one.attempt(tries, tryMs);
  // No route is as good as a dropped packet, but to its own bridge there is one.
  const through = tries
    .filter(([to], index) => {
      const result = results[index];
      return result !== 'timeout' && (result !== 'unreachable' || to === made[0]!.gateway);
    })
    .map(([to]) => to);
  if (through.length > 0) return `An instance reached ${through.join(', ')} in spite of the rules.`;
  if (host.met() > 0) return 'An instance reached this host in spite of the rules.';
  if ((await other.met()) > before) return "An instance reached another project's.";
  return undefined;
}

/** In the network namespace of this process, which /sys may not be of. */
async function hasInterface(name: string): Promise<boolean> {
  const text = await readFile('/proc/net/dev', 'utf8');
  return text.split('\n').some((line) => line.trim().startsWith(`${name}:`));
}

/** On every address of the host, for as long as the canary flies. */
async function listen() {
  let met = 0;
  const server = createServer((socket) => {
    met++;
    socket.destroy();
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '::', resolve).once('error', reject);
  }).catch(() => new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve)));
  return {
    port: (server.address() as AddressInfo).port,
    met: () => met,
    close: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}

/** Addresses of the host that an instance could try: loopback is its own there. */
function hostAddresses(bridge: string): string[] {
  const found = Object.entries(networkInterfaces()).flatMap(([name, addresses]) =>
    (addresses ?? [])
      .filter(({ internal }) => !internal)
      .map(({ address, family }) => {
        if (family === 'IPv4') return address;
        return name === bridge && address.startsWith('fe80:') ? `${address}%eth0` : undefined;
      }),
  );
  return found.filter((address) => address !== undefined).slice(0, 64);
}

/** The host opens a connection to the instance and gets its answer, as the gateway does. */
async function greets(peer: Peer): Promise<boolean> {
  const deadline = performance.now() + controlMs;
  do {
    if (await greeted(peer)) return true;
    await delay(50);
  } while (performance.now() < deadline);
  return false;
}

function greeted(peer: Peer): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: peer.address, port: peer.port });
    const end = (well: boolean) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(well);
    };
    const timer = setTimeout(() => end(false), 1_000);
    socket.once('data', (bytes) => end(bytes.toString() === 'gantry'));
    socket.once('close', () => end(false));
    socket.once('error', () => end(false));
  });
}
