import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import test from 'node:test';
import { inspectorOption, liveMegabytes } from './live-heap.ts';

/** Holds some 30 MB of objects and 20 MB of a buffer; 100 MB of others have died old. */
const program = `
  const object = (at) => ({ at, text: 'held ' + at });
  const held = Array.from({ length: 300_000 }, (_, at) => object(at));
  const buffer = Buffer.alloc(20e6, 1);
  for (let times = 0; times < 5; times++) Array.from({ length: 200_000 }, (_, at) => object(at));
  process.stdout.write('ready\\n');
  setInterval(() => held.length + buffer.length, 1_000);
`;

test('what lives is told, what died is not, as often as it is asked', async (t) => {
  const child = spawn(process.execPath, ['-e', program], {
    env: { ...process.env, NODE_OPTIONS: inspectorOption(0) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(() => child.kill('SIGKILL'));
  let output = '';
  const ready = once(child.stdout, 'data');
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (bytes: Buffer) => {
      output += bytes;
    });
  }
  await ready;
  const server = { pid: child.pid!, output: () => output };
  for (const time of ['first', 'second']) {
    const live = await liveMegabytes(server);
    assert.ok(live > 35 && live < 60, `${time}: ${live} MB`);
  }
});
