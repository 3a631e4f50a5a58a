import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import test from 'node:test';
import { promisify } from 'node:util';
import { startEnv } from '../conformance/tools/start-env.ts';
import type { CollectorProbe } from './collector-probe.ts';

/** What the young generation holds, and what comes while the old one is being marked. */
const beside = 24e6;

test('what died old takes half as much as what lives, and is collected then', async (t) => {
  const probe = join(import.meta.dirname, 'collector-probe.ts');
  const env = { ...process.env, ...startEnv };
  const { stdout } = await promisify(execFile)(process.execPath, [probe], { env });
  const { live, most } = JSON.parse(stdout) as CollectorProbe;
  const figures = `${Math.round(live / 1e6)} MB live, ${Math.round(most / 1e6)} in use at the most`;
  t.diagnostic(figures);
  assert.ok(most < 1.5 * live + beside, figures);
});
