import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { extract } from 'tar-stream';
import { CopiedFiles } from './copied-files.ts';

interface Written {
  readonly id: string;
  readonly entries: Readonly<Record<string, string>>;
}

/** A folder with a token, and what is written into containers, as it comes. */
function setUp(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-copied-'));
  const source = join(folder, 'run', 'ins_1', 'files');
  mkdirSync(source, { recursive: true });
  // Whole at once, as the server does.
  const put = (text: string) => {
    writeFileSync(join(source, '.next'), text, { mode: 0o444 });
    renameSync(join(source, '.next'), join(source, 'oidc-token'));
  };
  put('first');
  const written: Written[] = [];
  let told = () => {};
  const copied = new CopiedFiles({
    folders: [join(folder, 'run')],
    everyMs: 5,
    async write(id, tar) {
      written.push({ id, entries: await unpacked(tar) });
      told();
    },
  });
  t.after(() => {
    copied.close();
    rmSync(folder, { recursive: true });
  });
  const next = () =>
    new Promise<void>((resolve) => {
      told = resolve;
    });
  return { folder, source, put, written, copied, next };
}

async function unpacked(tar: Readable): Promise<Record<string, string>> {
  const entries: Record<string, string> = {};
  for await (const entry of tar.pipe(extract())) {
    const parts: Buffer[] = [];
    for await (const part of entry) parts.push(part as Buffer);
    entries[entry.header.name] = Buffer.concat(parts).toString();
  }
  return entries;
}

test('files are there before the start, and again when they change', async (t) => {
  const { source, put, written, copied, next, folder } = setUp(t);
  writeFileSync(join(source, '.oidc-token'), 'being written');
  await copied.put('c1', [{ path: '/var/run/gantry', source }]);
  const token = 'var/run/gantry/oidc-token';
  assert.deepEqual(written, [{ id: 'c1', entries: { 'var/run/gantry/': '', [token]: 'first' } }]);
  const again = next();
  put('second');
  await again;
  assert.equal(written.at(-1)!.entries[token], 'second');
  const count = written.length;
  copied.forget('c1');
  const other = next();
  await copied.put('c2', [
    { path: '/keep', source: join(folder, 'run', 'ins_1', 'files', 'oidc-token') },
  ]);
  await other;
  assert.deepEqual(written.slice(count), [{ id: 'c2', entries: { keep: 'second' } }]);
});

test('a label in the engine gets no other files of this machine', async (t) => {
  const { folder, source, written, copied, next } = setUp(t);
  writeFileSync(join(folder, 'secret'), 'key of the installation');
  for (const [at, wish] of [
    join(folder, 'secret'),
    join(folder, 'run', '..', 'secret'),
    `${folder}/run/../secret`,
    join(folder, 'run'),
    `${folder}/runaway`,
    '/etc/passwd',
  ].entries()) {
    copied.follow(`bad${at}`, [
      { path: '/x', source },
      { path: '/y', source: wish },
    ]);
  }
  const good = next();
  copied.follow('good', [{ path: '/x', source }]);
  await good;
  assert.deepEqual(
    written.map(({ id }) => id),
    ['good'],
  );
});

test('one that was found as it was removed is looked at no longer', async (t) => {
  const { source, put, written, copied, next } = setUp(t);
  rmSync(source, { recursive: true });
  copied.follow('gone', [{ path: '/x', source }]);
  const kept = join(source, '..', 'kept');
  writeFileSync(kept, 'first');
  const one = next();
  await copied.put('kept', [{ path: '/y', source: kept }]);
  await one;
  // Two looks at all of them.
  for (const text of ['second', 'third']) {
    const again = next();
    writeFileSync(kept, text);
    await again;
  }
  // As of another that has its place: nobody copies it into the one that is gone.
  mkdirSync(source);
  put('of another');
  for (const text of ['fourth', 'fifth']) {
    const again = next();
    writeFileSync(kept, text);
    await again;
  }
  assert.deepEqual(new Set(written.map(({ id }) => id)), new Set(['kept']));
});
