import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { after, describe, test } from 'node:test';
import { findVersitygw, type S3Server, startVersitygw } from '../tools/versitygw.ts';

const folder = import.meta.dirname;
const files = readdirSync(folder)
  .filter((name) => name.endsWith('.test.ts') && name !== basename(import.meta.filename))
  .sort();

let s3: S3Server | undefined;
after(() => s3?.stop());

/** The settings by which the suites' servers keep their blobs in the bucket (server.ts hands them on). */
function onS3({ bucket, endpoint, region, credentials }: S3Server): Record<string, string> {
  return {
    GANTRY_STORAGE: `s3://${bucket}/spec`,
    GANTRY_S3_ENDPOINT: endpoint,
    GANTRY_S3_REGION: region,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  };
}

async function runFile(name: string, env: Record<string, string>): Promise<string | undefined> {
  const { NODE_TEST_CONTEXT: _, ...outer } = process.env;
  const child = spawn(process.execPath, ['--test', '--test-reporter=tap', join(folder, name)], {
    env: { ...outer, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output: string[] = [];
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => output.push(text));
  const [code] = (await once(child, 'close')) as [number | null];
  const text = output.join('');
  const passed = Number(/^# pass (\d+)$/m.exec(text)?.[1] ?? 0);
  return code === 0 && passed > 0 ? undefined : text;
}

describe('On S3: the cases of the specification hold there, too', () => {
  const quick = process.env.GANTRY_TEST_QUICK === '1';
  const program = findVersitygw();
  for (const name of files)
    test(`On S3: ${name}`, async (t) => {
      if (quick) return t.skip('quick mode has no time for a second round');
      if (!('path' in program)) return t.skip(program.missing);
      s3 ??= await startVersitygw({ program: program.path });
      const failure = await runFile(name, onS3(s3));
      if (failure !== undefined) assert.fail(failed(failure));
    });
});

/** The failed cases of a TAP report, each with its cause. */
function failed(report: string): string {
  const parts = report.split(/^(?=\s*(?:not )?ok \d)/m).filter((part) => /^\s*not ok/.test(part));
  return (parts.join('') || report).slice(0, 20_000);
}
