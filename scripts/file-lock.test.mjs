import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { withFileLock } from './file-lock.mjs';

function lockPath(t) {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-lock-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return join(folder, 'deep', 'install.lock');
}

test('the work runs under the lock, which holds our process id and is gone after it', async (t) => {
  const path = lockPath(t);
  const result = await withFileLock(path, async () => {
    assert.equal(readFileSync(path, 'utf8'), String(process.pid));
    return 'done';
  });
  assert.equal(result, 'done');
  assert.equal(existsSync(path), false);
});

test('the lock is gone after work that fails', async (t) => {
  const path = lockPath(t);
  await assert.rejects(
    withFileLock(path, () => Promise.reject(new Error('no'))),
    /no/,
  );
  assert.equal(existsSync(path), false);
});

test('two at once: one after the other, and the second says for whom it waits', async (t) => {
  const path = lockPath(t);
  const events = [];
  const begun = Promise.withResolvers();
  const finish = Promise.withResolvers();
  const first = withFileLock(path, async () => {
    begun.resolve();
    await finish.promise;
    events.push('first');
  });
  await begun.promise;
  const second = withFileLock(
    path,
    async () => events.push('second'),
    (pid) => {
      events.push(`waits for ${pid}`);
      finish.resolve();
    },
  );
  await Promise.all([first, second]);
  assert.deepEqual(events, [`waits for ${process.pid}`, 'first', 'second']);
});

test('the lock of a process that is gone is taken over', async (t) => {
  const path = lockPath(t);
  const gone = spawnSync(process.execPath, ['-e', '']).pid;
  await withFileLock(path, async () => writeFileSync(path, String(gone)));
  writeFileSync(path, String(gone));
  let ran = false;
  await withFileLock(
    path,
    async () => {
      ran = true;
    },
    () => assert.fail('waited for a dead process'),
  );
  assert.ok(ran);
});
