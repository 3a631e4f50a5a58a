import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import * as gateway from '../gateway/refusal.ts';
import { refuse } from '../oci/errors.ts';
import { RuntimeError, type RuntimeFailure } from '../ports/runtime-driver.ts';
import type { ActivationError } from './activation.ts';
import { contractOf } from './contracts/contracts.ts';
import * as reasons from './deployments/reasons.ts';
import * as pool from './pool/refusals.ts';
import { refusalCode, refusalCodes, statusOfFailure } from './refusal-codes.ts';

const root = join(import.meta.dirname, '..', '..');
const failures: Record<RuntimeFailure, true> = {
  ...{
    'no-such-image': true,
    'no-such-platform': true,
    'pull-failed': true,
    'disk-full': true,
    'volume-full': true,
  },
  ...{ 'invalid-spec': true, 'start-failed': true, 'no-such-instance': true },
  ...{ 'no-such-path': true, 'in-use': true, unavailable: true },
};

/** Of the sources in these folders: what stands as the code of a refusal there. */
function written(...folders: string[]): Set<string> {
  const found = new Set<string>();
  for (const folder of folders) {
    for (const name of readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })) {
      if (!name.endsWith('.ts') || name.includes('test')) continue;
      const source = readFileSync(join(root, folder, name), 'utf8');
      const codes =
        /(?:new (?:GatewayError|DeployRefusal)\(\s*(?:\d+,\s*)?|\bcode: )'([A-Za-z_-]+)'/g;
      for (const [, code] of source.matchAll(codes)) found.add(code!);
    }
  }
  return found;
}

test('every code that is written has its place in the table, and every row of it is used', () => {
  const known = new Set<string>(Object.keys(refusalCodes));
  const used = written('src/gateway', 'src/scheduler', 'src/sandboxes');
  assert.deepEqual(
    [...used].filter((code) => !known.has(code)),
    [],
  );
  for (const failure of Object.keys(failures)) used.add(refusalCode(failure));
  used.add('FunctionNotStarted');
  assert.deepEqual(
    [...known].filter((code) => !used.has(code)),
    [],
  );
  for (const code of known) {
    if (code !== 'FunctionNotStarted') assert.match(code, /^[A-Z]+(_[A-Z]+)*$/);
  }
});

test('an answer has the status of its code, wherever it is made', () => {
  const service = { settings: {} } as Parameters<typeof pool.startRefusal>[2];
  const failed = pool.startRefusal(
    new pool.StartRefused({
      ...{ durationNs: 1n, dial: 'dial tcp', reason: 'timeout', exitCode: undefined, logs: [] },
    }),
    contractOf({ contract: 'function-compute' }),
    service,
  );
  const answers: (ActivationError | gateway.GatewayError)[] = [
    pool.queueFull({ limit: 1, atMax: true, retryMs: 1 }),
    pool.queueFull({ limit: 1, atMax: false, retryMs: 1 }),
    pool.queueTimeout(1, 1),
    pool.inBackoff('it ended', 1, 1),
    pool.pausedService('web'),
    pool.deletedDeployment('dpl_1'),
    pool.shuttingDown(),
    pool.noCapacity(1, 1),
    pool.engineAway('gone'),
    pool.startError(refuse('invalid', 'a secret is missing')),
    pool.startError(new Error('unknown')),
    failed,
    gateway.nothingHere(),
    gateway.malformed('it'),
    gateway.tooLarge(1),
    gateway.answerTooLarge(1),
    gateway.tooLate(1),
    gateway.instanceFailed(new Error('reset')),
    gateway.instanceFailed(Object.assign(new Error('parse'), { code: 'HPE_INVALID' })),
  ];
  for (const failure of Object.keys(failures) as RuntimeFailure[]) {
    if (failure === 'unavailable') continue;
    const error = new RuntimeError(failure, 'why');
    const start = pool.startError(error);
    answers.push(start);
    const deployed = reasons.runtimeRefusal(error).reason.code;
    assert.equal(deployed, start.code, 'the same at the deployment and at a request');
    assert.equal(statusOfFailure(deployed), start.status);
  }
  for (const { code, status } of answers) {
    const expected = (refusalCodes as Record<string, number>)[code] ?? 503;
    assert.equal(status, expected, code);
  }
  assert.deepEqual(gateway.internal().status, refusalCodes.INTERNAL);
  assert.deepEqual(JSON.parse(failed.answer!.body).ErrorCode, 'FunctionNotStarted');
  assert.equal(failed.answer!.status, refusalCodes.FunctionNotStarted);
});

test('the documents have all of them, with their status', () => {
  const rows = readFileSync(join(root, 'docs/gateway.md'), 'utf8').split('\n');
  for (const [code, status] of Object.entries(refusalCodes)) {
    const row = rows.find((line) => line.startsWith('|') && line.includes(`\`${code}\``));
    assert.ok(
      rows.some((line) => line.startsWith(`| ${status} |`) && line.includes(`\`${code}\``)),
      `${code} ${status}: ${row}`,
    );
  }
});
