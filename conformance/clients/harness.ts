/** A Gantry of a test's own: started from the sources, in a data folder of its own, on a free port. */
import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { Bootstrap } from '../faults/support/gantry.ts';
import { startEnv } from '../tools/start-env.ts';
import { startDeployment } from '../topologies/deployment.ts';
import { servicesFor } from '../topologies/services.ts';
import { chosenTopology, type Topology } from '../topologies/topology.ts';
import { Registry } from './support/registry.ts';
import { must } from './support/run.ts';
import { systemPath } from './support/sandbox.ts';

const root = join(import.meta.dirname, '..', '..');

export interface Gantry {
  readonly data: string;
  /** Where it listens, or nginx before it. */
  readonly origin: string;
  readonly bootstrap: Bootstrap;
  /** `team/project/<name>` of the project that the first start made. */
  repository(name: string): string;
  /** The registry as the bootstrap token sees it. */
  readonly raw: Registry;
  /** `gantry admin <args>`: its standard output. */
  admin(...args: string[]): Promise<string>;
  /** Last part of the server's log. */
  log(): string;
  /** Drains and ends; fails where the server did not exit 0 by itself. */
  stop(): Promise<void>;
}

export interface GantryOptions {
  /** An empty folder for all that it writes; it stays when the server has ended. */
  readonly folder: string;
  /** Settings beside those of the harness, such as GANTRY_STORAGE. */
  readonly env?: Readonly<Record<string, string>>;
  /** The chosen one without it. */
  readonly topology?: Topology;
}

/** Starts a server of the chosen topology; in a folder that one has used before, a restart. */
export async function startGantry(options: GantryOptions): Promise<Gantry> {
  const { folder, env = {}, topology = chosenTopology() } = options;
  await using stack = new AsyncDisposableStack();
  const { services, stop } = await servicesFor(topology);
  stack.defer(stop);
  const deployment = await startDeployment({
    ...{ topology, services, folder: join(folder, 'data') },
    settings: {
      PATH: systemPath,
      HOME: folder,
      // Issuers of these tests are on loopback, which is refused unless the operator allows it (A25).
      GANTRY_OUTBOUND_ALLOW: 'loopback',
      // Many clients fail to log in here, all from one address.
      GANTRY_RATE_LOGIN_FAILURES: '0',
      ...env,
    },
  });
  stack.defer(() => deployment.stop());
  const { bootstrap, data, origin } = deployment;
  assert.equal(
    statSync(join(data, 'bootstrap.json')).mode & 0o777,
    0o600,
    'bootstrap.json is for its owner alone',
  );
  const running = stack.move();
  return {
    ...{ data, bootstrap, origin },
    repository: (name) => `${bootstrap.teamSlug}/${bootstrap.projectSlug}/${name}`,
    raw: new Registry(origin, { username: bootstrap.teamId, password: bootstrap.token }),
    admin: (...args) =>
      must(process.execPath, [join(root, 'src', 'cli', 'main.ts'), 'admin', ...args], {
        env: { ...startEnv, ...deployment.settings, GANTRY_DATA: data },
      }),
    log: () => deployment.output().slice(-6000),
    stop: () => running.disposeAsync(),
  };
}
