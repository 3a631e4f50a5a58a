import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { ConfigError } from './config-error.ts';
import { loadSecretKey } from './secret-key.ts';

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'gantry-key-'));
  t.after(() => rm(path, { recursive: true }));
  return path;
}

test('the key of the settings is used, and no file is made', async (t) => {
  const data = await folder(t);
  const key = await loadSecretKey({ data, secretKey: 'ab'.repeat(32) });
  assert.deepEqual(key, Buffer.alloc(32, 0xab));
  assert.deepEqual(await readdir(data), []);
});

test('a key is made once, readable by its owner alone, and found again', async (t) => {
  const data = join(await folder(t), 'new');
  const first = await loadSecretKey({ data, secretKey: undefined });
  assert.equal(first.length, 32);
  assert.equal((await stat(join(data, 'secret.key'))).mode & 0o777, 0o600);
  assert.deepEqual(await readdir(data), ['secret.key']);
  assert.deepEqual(await loadSecretKey({ data, secretKey: undefined }), first);
});

test('a file without a key is refused, not replaced', async (t) => {
  const data = await folder(t);
  await writeFile(join(data, 'secret.key'), 'canary');
  await assert.rejects(loadSecretKey({ data, secretKey: undefined }), (error) => {
    assert.ok(error instanceof ConfigError);
    assert.match(error.message, /secret\.key does not hold a key/);
    assert.doesNotMatch(error.message, /canary/);
    return true;
  });
});
