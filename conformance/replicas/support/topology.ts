/** Two replicas on Postgres and one blob store, behind nginx: the topology of docker-compose.yml without containers. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Bootstrap, Launched, Program } from '../../faults/support/gantry.ts';
import { basic, Registry } from '../../spec/client.ts';
import type { PostgresServer } from '../../tools/postgres.ts';
import { startDeployment } from '../../topologies/deployment.ts';
import { type Services, startServices } from '../../topologies/services.ts';
import { topologyNamed, topologyObstacle } from '../../topologies/topology.ts';

export type BlobsOn = 's3' | 'folder';

export interface Topology {
  /** nginx. */
  readonly origin: string;
  /** Each replica, past nginx. */
  readonly origins: readonly string[];
  readonly postgres: PostgresServer;
  readonly bootstrap: Bootstrap;
  readonly project: string;
  readonly authorization: string;
  replica(at: number): Launched;
  runs(at: number): boolean;
  /** Which of them leads (`maintenance` unless named), as its log says. */
  leader(lease?: string): number;
  /** Through nginx, or at one replica. Its connections are closed at the end. */
  registry(at?: number, authorization?: string): Registry;
  /** Starts one again that has ended: from this checkout, unless it is given another program; `more` for this start. */
  start(at: number, program?: Program, more?: Readonly<Record<string, string>>): Promise<void>;
  /** Resolves once nginx gives requests to that one again: it leaves out for a while one that was not there. */
  serves(at: number): Promise<void>;
  /** What all replicas share. */
  readonly settings: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

const onBlobs = (blobs: BlobsOn) => ({ ...topologyNamed('s3+postgres+replicas'), blobs });

export function obstacle(blobs: BlobsOn = 's3'): string | undefined {
  return topologyObstacle(onBlobs(blobs));
}

/**
 * `between` may put something between the replicas and what they share, or where their folders will be. `program`:
 * what both start with, this checkout's unless given.
 */
export async function startTopology(
  blobs: BlobsOn,
  settings: Readonly<Record<string, string>> = {},
  between: (services: Services, folder: string) => Services | Promise<Services> = (services) =>
    services,
  program?: Program,
): Promise<Topology> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'gantry-replicas-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const topology = onBlobs(blobs);
  const { services, postgres, stop } = await startServices(topology);
  stack.defer(stop);
  const deployment = await startDeployment({
    ...{ topology, folder, services: await between(services, folder) },
    settings: { GANTRY_RATE_LOGIN_FAILURES: '0', ...settings },
    program,
  });
  stack.defer(() => deployment.stop());
  const { origin, origins, bootstrap } = deployment;
  const authorization = basic(bootstrap.teamId, bootstrap.token);
  const registries: Registry[] = [];
  stack.defer(() => {
    for (const registry of registries) registry.close();
  });
  const running = stack.move();
  const members = origins.map((_, at) => at);
  return {
    ...{ origin, origins, bootstrap, authorization, postgres: postgres! },
    project: `${bootstrap.teamSlug}/${bootstrap.projectSlug}`,
    replica: (at) => deployment.server(at),
    runs: (at) => deployment.runs(at),
    leader(lease = 'maintenance') {
      const epochs = members.map((at) => {
        const lines = deployment.server(at).output().split('\n');
        const told = lines.filter((line) => line.includes(`"lease":"${lease}"`));
        return Math.max(0, ...told.map((line) => Number(/"epoch":(\d+)/.exec(line)?.[1] ?? 0)));
      });
      return epochs.indexOf(Math.max(...epochs));
    },
    registry(at, own = authorization) {
      const registry = new Registry(at === undefined ? origin : origins[at]!, own);
      registries.push(registry);
      return registry;
    },
    start: (...given) => deployment.start(...given),
    async serves(at) {
      const { host } = new URL(origins[at]!);
      const from = deployment.traffic().length;
      const began = () => deployment.traffic().slice(from);
      for (const deadline = performance.now() + 10_000; ; await delay(100)) {
        if (began().some(({ upstream }) => upstream === host)) return;
        assert.ok(performance.now() < deadline, `nginx gives replica ${at} no request`);
      }
    },
    settings: deployment.settings,
    stop: () => running.disposeAsync(),
  };
}
