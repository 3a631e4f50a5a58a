import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { findVersitygw, startVersitygw } from '../../conformance/tools/versitygw.ts';
import type { ProbeResult } from './memory-probe.ts';

const limit = 200e6;
/** Three more transfers, each with a part that fills and up to three that travel. */
const limitOfFour = limit + 3 * 4 * (8 << 20);
const quick =
  process.env.GANTRY_TEST_QUICK === '1' &&
  'moves gigabytes: not in the quick set (GANTRY_TEST_QUICK)';

/** 2 GiB in and out as one blob, then 1 GiB as four at once. */
async function probe(t: TestContext, place: object): Promise<void> {
  const { stdout } = await promisify(execFile)(process.execPath, [
    join(import.meta.dirname, 'memory-probe.ts'),
    JSON.stringify(place),
  ]);
  const { one, four } = JSON.parse(stdout) as ProbeResult;
  t.diagnostic(`at most ${Math.round(one / 1e6)} MB resident, ${Math.round(four / 1e6)} with four`);
  assert.ok(one < limit, `${one} bytes of ${limit}`);
  assert.ok(four < limitOfFour, `${four} bytes of ${limitOfFour}`);
}

describe('2 GiB pass with less than 200 MB of memory', { skip: quick, timeout: 600_000 }, () => {
  test('on the filesystem', async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'gantry-memory-'));
    try {
      await probe(t, { folder });
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test('on S3', async (t) => {
    const found = findVersitygw();
    if ('missing' in found) return t.skip(found.missing);
    const server = await startVersitygw({ program: found.path });
    const { endpoint, bucket, region, credentials } = server;
    try {
      await probe(t, { s3: { endpoint, bucket, region, credentials } });
    } finally {
      await server.stop();
    }
  });
});
