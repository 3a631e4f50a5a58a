/** attacks.md, invariants 1 and 7: a 201 means durable. kill -9 keeps the page cache, so it cannot show that. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { checkIntegrity, inspectAtRest } from './support/at-rest.ts';
import { readBootstrap } from './support/gantry.ts';
import { Random, runSeed } from './support/random.ts';
import { buildRecorder, Recorder } from './support/recorder.ts';
import { Rig } from './support/rounds.ts';

const quick = process.env.GANTRY_TEST_QUICK === '1';
const cuts = Number(process.env.GANTRY_TEST_CUTS ?? (quick ? 4 : 30));
const expiryMs = 60_000;
const seed = runSeed();

let folder: string;
let built: { library: string } | string;
before(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'gantry-power-')));
  built = await buildRecorder(folder);
});
after(() => rm(folder, { recursive: true, force: true }));

async function prepare(library: string, name: string) {
  const data = join(folder, name);
  const random = new Random(`${seed}/${name}`);
  const rig = await Rig.prepare({ data, random, expiryMs });
  return { rig, random, recorder: new Recorder(library, data) };
}

function expectNone(problems: readonly string[], when: string): void {
  assert.deepEqual(problems, [], `${when} (GANTRY_TEST_SEED=${seed})\n${problems.join('\n')}`);
}

test('the recorder sees every change: all of it together gives the very same folder', async (t) => {
  if (typeof built === 'string') return t.skip(built);
  const { rig, recorder } = await prepare(built.library, 'complete');
  rig.launch(recorder.begin());
  const problems = await rig.work(async () => {
    await delay(1_500);
    expectNone(await rig.stop(), 'SIGTERM under load');
  });
  expectNone(problems, 'while it was recorded');
  const replayed = `${rig.data}.replayed`;
  recorder.replay(replayed, 'everything');
  assert.deepEqual(contents(replayed), contents(rig.data));
});

test(`what was acknowledged outlives each of ${cuts} power cuts`, async (t) => {
  if (typeof built === 'string') return t.skip(built);
  t.diagnostic(`GANTRY_TEST_SEED=${seed}`);
  const { rig, random, recorder } = await prepare(built.library, 'kept');
  try {
    for (let cut = 1; cut <= cuts; cut++) {
      // Half of the cuts come right after a write, a sync or a change of names; the others at any time.
      const killAt = random.chance(0.5) ? random.whole(1, 1_000) : 0;
      const server = rig.launch(recorder.begin({ killAt }));
      const crash = async (): Promise<void> => {
        await server.endsWithin(killAt > 0 ? 2_000 : random.size(30, 1_500));
        await rig.kill();
      };
      if (await ready(server.ready)) {
        const seen = await rig.inspect().catch((error) => {
          if (killAt > 0 && (error as Error).name === 'Gone') return undefined;
          throw error;
        });
        expectNone(seen ?? [], `after cut ${cut - 1}`);
        if (seen) expectNone(await rig.work(crash), `before cut ${cut}`);
        else await rig.kill();
      } else {
        assert.ok(killAt > 0, `the server did not start after cut ${cut - 1}:\n${server.output()}`);
        await rig.kill();
      }
      recorder.cut(random.chance(0.5) ? 'nothing' : random);
      const rest = inspectAtRest(rig.data);
      expectNone(rest.problems, `at rest after cut ${cut}`);
      assert.deepEqual(rest.unnamed, [], `files that no row names after cut ${cut}`);
      assert.equal(readBootstrap(rig.data).token, rig.bootstrap.token, 'bootstrap.json');
    }
    rig.launch(recorder.begin());
    expectNone(await rig.inspect(), `after cut ${cuts}`);
    expectNone(await rig.stop(), 'at the end');
    expectNone(checkIntegrity(rig.data), 'the database');
    t.diagnostic(`${rig.answered} pieces of work were answered, in ${cuts} rounds`);
  } finally {
    await rig.kill().catch(() => {});
  }
});

const ignored = {
  'all syncs of files': 'file:',
  'all syncs of folders': 'folder:',
  'the syncs of blobs': 'file:/blobs/',
  'the syncs of the folders of blobs': 'folder:/blobs/',
  "the syncs of the database's log": 'file:gantry.db-wal',
};

for (const [what, ignore] of Object.entries(ignored)) {
  test(`the check notices it where ${what} do nothing`, async (t) => {
    if (typeof built === 'string') return t.skip(built);
    const { rig, recorder } = await prepare(built.library, `lost-${ignore.replace(/\W/g, '-')}`);
    try {
      rig.launch(recorder.begin({ ignore }));
      const crash = async (): Promise<void> => {
        await delay(1_500);
        await rig.kill();
      };
      expectNone(await rig.work(crash), 'before the cut');
      recorder.cut('nothing');
      const noticed = [...inspectAtRest(rig.data).problems];
      const server = rig.launch(recorder.begin());
      if (await ready(server.ready)) noticed.push(...(await rig.inspect()));
      else noticed.push(`the server does not start: ${server.output()}`);
      t.diagnostic(`${noticed.length} losses, such as: ${noticed[0]}`);
      assert.ok(noticed.length > 0, 'nothing was lost: the recorder does not bite');
    } finally {
      await rig.kill().catch(() => {});
    }
  });
}

async function ready(promise: Promise<unknown>): Promise<boolean> {
  return promise.then(
    () => true,
    () => false,
  );
}

/** Every file below a folder with its bytes, but for SQLite's shared memory. */
function contents(path: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of readdirSync(path, { recursive: true, encoding: 'utf8' }).sort()) {
    const file = join(path, name);
    if (name.endsWith('-shm')) continue;
    found[name] = statSync(file).isDirectory() ? 'folder' : readFileSync(file, 'base64');
  }
  return found;
}
