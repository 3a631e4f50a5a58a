import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { refused } from '../contract/metadata/fixture.ts';
import { metadataContract } from '../contract/metadata/index.ts';
import { openSqliteMetadata } from './sqlite.ts';

const makeFolder = () => mkdtemp(join(tmpdir(), 'gantry-sqlite-'));

metadataContract(async () => {
  const folder = await makeFolder();
  return {
    open: () => openSqliteMetadata({ folder }),
    async remove() {
      // A closed database has no log left: another would mean that something still holds it.
      const files = (await readdir(folder)).sort();
      await rm(folder, { recursive: true });
      assert.deepEqual(files, ['gantry.db', 'lock']);
    },
  };
});

test('a second opening of a folder is refused, and the folder is free again after the first closes', async () => {
  const folder = await makeFolder();
  const first = await openSqliteMetadata({ folder });
  const error = await refused(openSqliteMetadata({ folder }), 'conflict');
  assert.match(error.message, /Another Gantry is using/);
  await first.close();
  await (await openSqliteMetadata({ folder })).close();
  await rm(folder, { recursive: true });
});

test('a database of a newer schema is refused', async () => {
  const folder = await makeFolder();
  await (await openSqliteMetadata({ folder })).close();
  const raw = new DatabaseSync(join(folder, 'gantry.db'));
  raw.exec('insert into migrations (version, applied_at) values (99, 1)');
  raw.close();
  await assert.rejects(openSqliteMetadata({ folder }), /schema version 99, newer than/);
  await rm(folder, { recursive: true });
});
