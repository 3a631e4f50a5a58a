import assert from 'node:assert/strict';
import test from 'node:test';
import { runCli } from './run-cli.ts';

const running = {
  ...{ id: 'scr_1', actor: 'operator', state: 'running', startedAt: 0 },
  ...{ blobs: 0, bytes: 0, quarantined: 0, repaired: 0, unreadable: 0, manifests: 0 },
  total: { blobs: 1, bytes: 1 },
};

async function offline(line: string, result: unknown) {
  let [out, err] = ['', ''];
  const code = await runCli({
    ...{ args: ['admin', ...line.split(' ')], env: {}, cwd: '/', version: '1.2.3', tty: true },
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    connect: async () => ({ offline: true, call: async () => result, close: () => {} }),
  });
  return { code, out, err };
}

test('where no server runs, a scrub is noted and not waited for', async () => {
  const noted = await offline('scrub start', running);
  assert.equal(noted.code, 0);
  assert.match(noted.err, /next one that starts does it/);
  const waited = await offline('scrub start --wait', running);
  assert.equal(waited.code, 1);
  assert.match(waited.out, /scr_1/);
  assert.match(waited.err, /Start the server/);
  assert.equal((await offline('scrub start --wait', { ...running, state: 'done' })).code, 0);
});
