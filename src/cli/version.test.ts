import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runCli } from './run-cli.ts';

test('gantry alone, and with --version and --help', async () => {
  const said: string[] = [];
  const run = (...args: string[]) =>
    runCli({
      args,
      env: {},
      cwd: '/',
      version: '1.2.3',
      out: (text) => said.push(text),
      err: (text) => said.push(text),
    });
  assert.equal(await run('--version'), 0);
  assert.equal(said.join(''), '1.2.3\n');
  assert.equal(await run('--help'), 0);
  assert.equal(await run(), 2);
});
