/** The OCI project's own program against two replicas, round robin by request. Its path is in OCI_CONFORMANCE. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseReport } from '../official/report.ts';
import { obstacle, startTopology } from './support/topology.ts';

const program = process.env.OCI_CONFORMANCE;
const missing =
  program && existsSync(program) ? undefined : 'OCI_CONFORMANCE does not name the program';
const skip = missing ?? obstacle();

test('OCI conformance (dev) on two replicas', skip ? { skip } : {}, async (t) => {
  const world = await startTopology('s3');
  t.after(() => world.stop());
  const results = mkdtempSync(join(tmpdir(), 'gantry-oci-'));
  t.after(() => rmSync(results, { recursive: true, force: true }));
  const child = spawn(program!, [], {
    cwd: results,
    stdio: 'ignore',
    env: {
      PATH: process.env.PATH,
      HOME: results,
      OCI_REGISTRY: new URL(world.origin).host,
      OCI_TLS: 'disabled',
      OCI_REPO1: `${world.project}/repo1`,
      OCI_REPO2: `${world.project}/repo2`,
      OCI_USERNAME: world.bootstrap.teamId,
      OCI_PASSWORD: world.bootstrap.token,
      OCI_VERSION: 'dev',
      OCI_RESULTS_DIR: results,
    },
  });
  t.after(() => child.kill('SIGKILL'));
  await once(child, 'close', { signal: AbortSignal.timeout(200_000) });
  const { counts, cases } = parseReport(readFileSync(join(results, 'junit.xml'), 'utf8'));
  t.diagnostic(`${counts.tests} tests, ${counts.failures} failed, ${counts.skipped} skipped`);
  assert.ok(counts.tests > 800, `only ${counts.tests} tests ran`);
  const others = cases.filter(({ status }) => status !== 'passed');
  assert.deepEqual(
    others.map(({ name, status, message }) => `${status}: ${name}: ${message ?? ''}`),
    [],
  );
});
