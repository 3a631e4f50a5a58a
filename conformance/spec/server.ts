import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Bootstrap } from '../faults/support/gantry.ts';
import { compileCache } from '../tools/start-env.ts';
import { startDeployment } from '../topologies/deployment.ts';
import { servicesFor } from '../topologies/services.ts';
import { chosenTopology } from '../topologies/topology.ts';

export type { Bootstrap };

export interface ServerOptions {
  /** Settings on top of those that place the server on a free loopback port and a fresh folder. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A Gantry process under test, on a data folder of its own. */
export interface GantryServer {
  readonly bootstrap: Bootstrap;
  readonly dataFolder: string;
  /** `http://127.0.0.1:<port>`, the same over restarts. */
  readonly origin: string;
  /** What it says its address is, where it was told; else it goes by what it is asked by. */
  readonly publicUrl: string | undefined;
  readonly pid: number;
  /** Everything written to stdout and stderr so far, over all starts. */
  output(): string;
  /** Ends the process with SIGTERM (which must exit 0) or another signal; the folder stays. */
  halt(signal?: NodeJS.Signals): Promise<void>;
  /** Starts again on the same folder and port, with more settings where given. */
  resume(env?: Readonly<Record<string, string>>): Promise<void>;
  /** `halt`, where it runs, then removes the folder. */
  stop(): Promise<void>;
}

/** What another process has to know of one. */
export type SharedServer = Pick<GantryServer, 'bootstrap' | 'dataFolder' | 'origin' | 'publicUrl'>;

/** The environment of a command that works on that folder; no setting is inherited. */
export function serverEnv(dataFolder: string): Record<string, string> {
  const { PATH = '', HOME = '' } = process.env;
  return { PATH, HOME, ...compileCache, GANTRY_DATA: dataFolder };
}

/** On the topology that GANTRY_TEST_TOPOLOGY names. */
export async function startServer(options: ServerOptions = {}): Promise<GantryServer> {
  const dataFolder = await mkdtemp(join(tmpdir(), 'gantry-spec-'));
  await using stack = new AsyncDisposableStack();
  stack.defer(() => rm(dataFolder, { recursive: true, force: true }));
  const topology = chosenTopology();
  const { services, stop } = await servicesFor(topology);
  stack.defer(stop);
  const deployment = await startDeployment({
    ...{ topology, services, folder: dataFolder },
    settings: {
      // Tests fail to log in as many strangers would, all from one address.
      GANTRY_RATE_LOGIN_FAILURES: '0',
      // Nobody: proofs of domains are not asked for outside.
      GANTRY_DNS_SERVERS: '127.0.0.1:9',
      ...options.env,
    },
  });
  stack.defer(() => deployment.stop());
  const running = stack.move();
  return {
    ...{ dataFolder, origin: deployment.origin, bootstrap: deployment.bootstrap },
    publicUrl: deployment.settings.GANTRY_PUBLIC_URL,
    get pid(): number {
      const only = deployment.server(0);
      assert.ok(topology.replicas === 1 && deployment.runs(0), 'no single server runs');
      return only.pid;
    },
    output: () => deployment.output(),
    halt: (signal) => deployment.halt(signal),
    resume: (env) => deployment.resume(env),
    stop: () => running.disposeAsync(),
  };
}

/** The one that conformance/topologies/setup.ts has started for all files of a suite, which ends it, too. */
export function sharedServer(): GantryServer | undefined {
  const text = process.env.GANTRY_TEST_SERVER;
  if (!text) return undefined;
  const { bootstrap, dataFolder, origin, publicUrl } = JSON.parse(text) as SharedServer;
  const refuse = (): never =>
    assert.fail('other files use this server, too: useServer({ own: true })');
  return {
    ...{ bootstrap, dataFolder, origin, publicUrl },
    get pid() {
      return refuse();
    },
    ...{ output: refuse, halt: refuse, resume: refuse },
    stop: async () => {},
  };
}
