import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Launched } from '../../../conformance/faults/support/gantry.ts';
import { SoakTraffic, soakRepositories } from '../../../conformance/faults/support/soak-traffic.ts';
import { freePort } from '../../../conformance/tools/free-ports.ts';
import { startEnv } from '../../../conformance/tools/start-env.ts';
import { type Deployment, startDeployment } from '../../../conformance/topologies/deployment.ts';
import { startServices } from '../../../conformance/topologies/services.ts';
import type { Topology } from '../../../conformance/topologies/topology.ts';
import { runProgram } from '../clients/run-client.ts';
import { resetPeak, residentBytes } from '../processes.ts';
import { root } from '../servers.ts';
import { inspectorOption, liveMegabytes } from './live-heap.ts';

export interface SoakReport {
  readonly topology: string;
  readonly minutes: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly collections: { runs: number; links: number; blobs: number };
  readonly ends: {
    readonly problems: Readonly<Record<string, number>>;
    readonly left: Readonly<Record<string, number>>;
  };
  readonly servers: readonly {
    readonly begin: Use;
    readonly end: Use;
    /** Resident at the most between the two. */
    readonly mostMegabytes: number;
    /** Resident once nothing was asked of it for a while. */
    readonly restMegabytes: number;
  }[];
  /** What is not as it must be; empty: all is well. */
  readonly off: readonly string[];
  readonly examples: readonly string[];
}

interface Use {
  /** Resident, with what is dead and not yet collected. */
  readonly megabytes: number;
  /** Of the heap and its buffers, after a collection. */
  readonly liveMegabytes: number;
  readonly descriptors: number;
}

/** Of a blob that nothing names yet: a push takes less, so it is kept, and what a push left is soon collected. */
const leaseSeconds = 20;
/** What a server may hold more at the end than once it was warm, and at any time between the two. */
const moreMegabytes = 100;
/** What more may live: manifests that were pulled are kept, and code that is used much is compiled again. */
const moreLiveMegabytes = 30;
/** What is promised of a server of which nothing is asked. */
const mostAtRestMegabytes = 150;
const restMs = 60_000;
const moreDescriptors = 20;

export async function soak(options: {
  topology: Topology;
  minutes: number;
  clients: number;
  folder: string;
}): Promise<SoakReport> {
  const { topology, minutes, clients, folder } = options;
  await using stack = new AsyncDisposableStack();
  const { services, stop } = await startServices(topology);
  stack.defer(stop);
  const inspectorPort = topology.replicas > 1 ? 0 : await freePort();
  const deployment = await startDeployment({
    ...{ topology, services, folder },
    settings: {
      ...{ GANTRY_FUNCTIONS: 'off', GANTRY_RATE_API_WRITES: '0', GANTRY_RATE_API_READS: '0' },
      ...{ GANTRY_RATE_TOKEN: '0', GANTRY_COLLECT_DELAY: '0s', GANTRY_UNDELETE_FOR: '0s' },
      GANTRY_COLLECT_LEASE: `${leaseSeconds}s`,
      NODE_OPTIONS: `${startEnv.NODE_OPTIONS} ${inspectorOption(inspectorPort)}`,
    },
  });
  stack.defer(() => deployment.stop());
  const { origin, bootstrap } = deployment;
  const { teamId, teamSlug, projectSlug, token } = bootstrap;
  const basic = `Basic ${Buffer.from(`${teamId}:${token}`).toString('base64')}`;
  const api = await apiOf(deployment);
  const servers = deployment.origins.map((_, at) => deployment.server(at));

  const end = performance.now() + minutes * 60_000;
  const over = () => performance.now() > end;
  const traffic = new SoakTraffic({
    ...{ project: `${teamSlug}/${projectSlug}`, clients, over },
    async ask(method, path, body, type) {
      const answer = await fetch(new URL(path, origin), {
        method,
        headers: { authorization: basic, ...(type && { 'content-type': type }) },
        ...(body && { body: new Uint8Array(body) }),
      });
      const { status, headers } = answer;
      return { status, headers, bytes: Buffer.from(await answer.arrayBuffer()) };
    },
  });
  const collections = { runs: 0, links: 0, blobs: 0 };
  const failedCollections: string[] = [];
  const collecting = async () => {
    while (!over()) {
      try {
        const run = await api.collect();
        collections.runs++;
        collections.links += run.links.collected;
        collections.blobs += run.blobs.collected;
      } catch (error) {
        failedCollections.push((error as Error).message);
        await delay(100);
      }
    }
  };
  const warm = async () => {
    await delay(Math.min(60_000, (minutes * 60_000) / 5));
    return Promise.all(
      servers.map(async (server) => {
        const use = useOf(server);
        const live = await liveMegabytes(server);
        resetPeak(server.pid);
        return { ...use, liveMegabytes: live };
      }),
    );
  };
  const [, , begins] = await Promise.all([traffic.run(), collecting(), warm()]);
  await traffic.pullAll();
  const left = await deleteAll(api, topology, folder);
  const used = servers.map((server) => ({
    ...useOf(server),
    mostMegabytes: megabytes(residentBytes(server.pid).peak),
  }));
  await delay(restMs);
  const rested = servers.map(({ pid }) => megabytes(residentBytes(pid).now));
  const living = await Promise.all(servers.map(liveMegabytes));
  const uses = begins.map((begin, at) => {
    const { mostMegabytes, ...end } = used[at]!;
    return {
      ...{ begin, end: { ...end, liveMegabytes: living[at]! } },
      ...{ mostMegabytes, restMegabytes: rested[at]! },
    };
  });
  const problems = {
    pushes: traffic.failedPushes.length,
    others: traffic.failedOthers.length,
    collections: failedCollections.length,
    dangling: traffic.dangling.length,
    'wrong bytes': traffic.wrongBytes.length,
  };
  const grown = uses.flatMap(({ begin, end, mostMegabytes, restMegabytes }, at) => {
    const more = Math.max(end.megabytes, mostMegabytes) - begin.megabytes;
    const live = end.liveMegabytes - begin.liveMegabytes;
    const open = end.descriptors - begin.descriptors;
    return [
      ...(more > moreMegabytes ? [`server ${at + 1} held ${more} MB more`] : []),
      ...(live > moreLiveMegabytes ? [`${live} MB more live in server ${at + 1}`] : []),
      ...(restMegabytes > mostAtRestMegabytes
        ? [`server ${at + 1} holds ${restMegabytes} MB at rest`]
        : []),
      ...(open > moreDescriptors ? [`server ${at + 1} has ${open} more descriptors open`] : []),
    ];
  });
  const idle = Object.entries({ ...traffic.counts, ...collections }).filter(([, n]) => n === 0);
  return {
    ...{ topology: topology.name, minutes, counts: traffic.counts, collections },
    ends: { problems, left },
    servers: uses,
    off: [
      ...Object.entries({ ...problems, ...left })
        .filter(([, count]) => count > 0)
        .map(([what, count]) => `${what}: ${count}`),
      ...grown,
      ...idle.map(([what]) => `nothing was done: ${what}`),
    ],
    examples: [...traffic.problems, ...failedCollections].slice(0, 10),
  };
}

interface Collected {
  readonly links: { readonly collected: number };
  readonly blobs: { readonly collected: number };
}
interface Api {
  collect(): Promise<Collected>;
  unreferenced(): Promise<{ blobs: number; bytes: number; keys: number }>;
  deleteRepository(name: string): Promise<void>;
}

/** As an operator, whose account and token are made by the admin commands. */
async function apiOf({ origin, data, settings, bootstrap }: Deployment): Promise<Api> {
  const admin = async (...args: string[]) => {
    const env = { ...process.env, ...settings, GANTRY_DATA: data };
    const program = [join(root, 'src/cli/main.ts'), 'admin', ...args, '--json'];
    return JSON.parse(await runProgram(process.execPath, program, 60_000, env)) as {
      token: string;
    };
  };
  await admin('account', 'create', 'operator', '--operator');
  const { token } = await admin('token', 'create', '--account', 'operator', '--scope', 'admin');
  const ask = async (method: string, path: string, own: string, body?: object) => {
    const answer = await fetch(new URL(`/api/v1${path}`, origin), {
      method,
      headers: { authorization: `Bearer ${own}`, 'content-type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok && answer.status !== 404) throw new Error(`${path}: ${answer.status} ${text}`);
    return text === '' ? undefined : (JSON.parse(text) as unknown);
  };
  const place = `/teams/${bootstrap.teamSlug}/projects/${bootstrap.projectSlug}/repositories`;
  return {
    collect: async () => (await ask('POST', '/collection', token, {})) as Collected,
    async unreferenced() {
      const state = (await ask('GET', '/collection', token)) as {
        unreferenced: { blobs: number; bytes: number; keys: number };
      };
      return state.unreferenced;
    },
    async deleteRepository(name) {
      await ask('DELETE', `${place}/${name}`, bootstrap.token);
    },
  };
}

/** What is left once all is deleted and collected; it is waited for, for removals take a while. */
async function deleteAll(
  api: Api,
  topology: Topology,
  folder: string,
): Promise<Record<string, number>> {
  for (const name of soakRepositories) await api.deleteRepository(name);
  for (const deadline = performance.now() + 120_000; ; await delay(1_000)) {
    await api.collect();
    const { blobs, bytes, keys } = await api.unreferenced();
    const files = topology.blobs === 'folder' ? { files: filesIn(join(folder, 'blobs')) } : {};
    const left = { blobs, bytes, keys, ...files };
    const isClean = Object.values(left).every((count) => count === 0);
    if (isClean || performance.now() > deadline) return left;
  }
}

const filesIn = (folder: string): number =>
  readdirSync(folder, { withFileTypes: true, recursive: true }).filter((one) => one.isFile())
    .length;

const megabytes = (bytes: number) => Math.round(bytes / 1e6);

function useOf({ pid }: Launched): Omit<Use, 'liveMegabytes'> {
  return {
    megabytes: megabytes(residentBytes(pid).now),
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
  };
}
