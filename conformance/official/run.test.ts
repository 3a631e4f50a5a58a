/**
 * The OCI project's own conformance program against a Gantry with nothing in it, of each topology. Its path is
 * given in OCI_CONFORMANCE; OCI_RESULTS_DIR keeps its reports.
 */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { startGantry } from '../clients/harness.ts';
import { run } from '../clients/support/run.ts';
import { makeSandbox } from '../clients/support/sandbox.ts';
import { chosenTopology, topologies, topologyObstacle } from '../topologies/topology.ts';
import { parseReport } from './report.ts';

/** What each version of the program leaves out by its own settings, and why that is not ours. */
const notAsked: Record<string, Record<string, string>> = {
  '1.1': { 'post cancel/blob-post-cancel': 'version 1.1 of the spec has no upload cancel' },
  dev: {},
};

const program = process.env.OCI_CONFORMANCE;
const obstacle = program
  ? existsSync(program)
    ? undefined
    : `OCI_CONFORMANCE names ${program}, which is not there`
  : 'OCI_CONFORMANCE does not name the conformance program';

describe('OCI conformance', () => {
  for (const topology of process.env.GANTRY_TEST_TOPOLOGY ? [chosenTopology()] : topologies) {
    for (const version of Object.keys(notAsked)) {
      const skip = obstacle ?? topologyObstacle(topology);
      test(`OCI_VERSION=${version} on ${topology.name}`, skip ? { skip } : {}, async (t) => {
        await using stack = new AsyncDisposableStack();
        const sandbox = makeSandbox();
        stack.defer(() => sandbox.remove());
        const gantry = await startGantry({ folder: sandbox.fresh('server'), topology });
        stack.defer(() => gantry.stop());
        const kept = process.env.OCI_RESULTS_DIR;
        const results = kept ? join(kept, `${version}-${topology.name}`) : sandbox.fresh('results');
        mkdirSync(results, { recursive: true });

        const { stdout, stderr } = await run(program!, [], {
          cwd: results,
          timeoutMs: 300_000,
          env: {
            ...sandbox.env,
            OCI_REGISTRY: gantry.bootstrap.registry,
            OCI_TLS: 'disabled',
            OCI_REPO1: gantry.repository('repo1'),
            OCI_REPO2: gantry.repository('repo2'),
            OCI_USERNAME: gantry.bootstrap.teamId,
            OCI_PASSWORD: gantry.bootstrap.token,
            OCI_VERSION: version,
            OCI_RESULTS_DIR: results,
          },
        });
        const junit = join(results, 'junit.xml');
        assert.ok(existsSync(junit), `the program wrote no report\n${stdout}${stderr}`);
        const { counts, cases } = parseReport(readFileSync(junit, 'utf8'));
        const { tests, failures, errors, disabled, skipped } = counts;
        t.diagnostic(
          `${tests} tests, ${failures} failed, ${errors} errors, ${skipped} skipped, ${disabled} disabled`,
        );
        assert.ok(tests > 800, `only ${tests} tests ran`);
        const reasons = Object.keys(notAsked[version]!);
        const ours = cases
          .filter(({ status }) => status !== 'passed')
          .filter(
            ({ name, message }) =>
              message !== undefined || !reasons.some((end) => name.endsWith(end)),
          )
          .map(
            ({ name, status, message }) => `${status}: ${name}: ${message ?? 'no reason given'}`,
          );
        assert.deepEqual(ours, []);
        assert.equal(failures + errors + skipped, 0);
      });
    }
  }
});
