/**
 * `node --test --test-global-setup`: one Gantry of the chosen topology for all files of a suite, which
 * conformance/spec/fixture.ts hands to them, and what further servers of theirs can share.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SharedServer } from '../spec/server.ts';
import { startDeployment } from './deployment.ts';
import { startServices } from './services.ts';
import { countSplits } from './splits.ts';
import { chosenTopology, topologyObstacle } from './topology.ts';

const running = new AsyncDisposableStack();

export async function globalSetup(): Promise<void> {
  const topology = chosenTopology();
  // Who runs the suite has said so.
  if (topologyObstacle(topology)) return;
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'gantry-suite-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const { services, stop } = await startServices(topology);
  stack.defer(stop);
  const settings = { GANTRY_RATE_LOGIN_FAILURES: '0' };
  const deployment = await startDeployment({ topology, services, folder, settings });
  stack.defer(() => deployment.stop());
  if (topology.replicas > 1) stack.defer(() => tellSplits(countSplits(deployment.traffic())));
  const { bootstrap, origin } = deployment;
  const publicUrl = deployment.settings.GANTRY_PUBLIC_URL;
  const server: SharedServer = { bootstrap, origin, publicUrl, dataFolder: folder };
  process.env.GANTRY_TEST_SERVICES = JSON.stringify(services);
  process.env.GANTRY_TEST_SERVER = JSON.stringify(server);
  running.use(stack.move());
}

/** The end of a server that does not end well fails the run. */
export async function globalTeardown(): Promise<void> {
  await running.disposeAsync();
}

function tellSplits({ uploads, split, requests }: ReturnType<typeof countSplits>): void {
  const shares = [...requests].map(([upstream, count]) => `${upstream}: ${count}`).join(', ');
  console.log(`  ${split} of ${uploads} uploads in several requests were split (${shares})`);
  // A single file may have none.
  if (uploads < 10) return;
  assert.equal(requests.size, 2, 'both replicas get requests');
  assert.ok(split > uploads / 2, `${split} of ${uploads} uploads were split between the replicas`);
}
