/** Starts that must be refused, with a message for people. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { expectStatus } from '../spec/check.ts';
import { launch } from './support/gantry.ts';
import { onServer, type Running } from './support/on-server.ts';

let folder: string;
let data: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gantry-refused-'));
  data = join(folder, 'data');
});
after(() => rm(folder, { recursive: true, force: true }));

const withServer = (use: (running: Running) => Promise<void>) => onServer(data, use);

/** A start that must fail: exit code 1 and a message, not a stack. */
async function refusedStart(env: Record<string, string>, message: RegExp): Promise<void> {
  const refused = launch({ data, env });
  try {
    await assert.rejects(refused.ready);
    assert.deepEqual(await refused.exited, { code: 1, signal: null }, refused.output());
    assert.match(refused.output(), message);
    assert.doesNotMatch(refused.output(), /^\s+at /m, 'a stack is no message for people');
  } finally {
    await refused.end('SIGKILL');
  }
}

test('a second server on the same data folder is refused, and the first goes on', async () => {
  await withServer(async ({ registry }) => {
    await refusedStart({}, /Another Gantry is using the data folder .*\n.*GANTRY_DATA=/);
    expectStatus(await registry.get('/v2/'), 200);
  });
  // A server that was killed leaves no lock behind.
  await withServer(async ({ registry }) => void expectStatus(await registry.get('/v2/'), 200));
});

test('a taken port is refused with the next one to try', async () => {
  const other = join(folder, 'other');
  await withServer(async ({ origin }) => {
    const { port } = new URL(origin);
    const next = `Port ${port} .*taken[^]*GANTRY_PORT=${Number(port) + 1}`;
    await refusedStart({ GANTRY_DATA: other, GANTRY_PORT: port }, new RegExp(next));
  });
});

test('a database of a newer program is refused and left as it is', async () => {
  await withServer(async () => {});
  change('insert into migrations (version, applied_at) values (99, 1)');
  await refusedStart({}, /schema version 99, newer than/);
  change('delete from migrations where version = 99');
  await withServer(async ({ registry }) => void expectStatus(await registry.get('/v2/'), 200));
});

function change(statement: string): void {
  const db = new DatabaseSync(join(data, 'gantry.db'));
  assert.equal(db.prepare(statement).run().changes, 1);
  db.close();
}
