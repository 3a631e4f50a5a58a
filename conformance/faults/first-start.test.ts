/** A first start that a power cut ends at any of its writes is gone on with by the next one. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { basic } from '../spec/client.ts';
import { Asker } from './support/asking.ts';
import { compileOnce, launch, readBootstrap } from './support/gantry.ts';
import { Random, runSeed } from './support/random.ts';
import { buildRecorder, Recorder } from './support/recorder.ts';

const quick = process.env.GANTRY_TEST_QUICK === '1';
const cuts = quick ? 3 : 20;

test(`after each of ${cuts} power cuts in its first start, the next start is ready, and its token works`, async (t) => {
  const seed = runSeed();
  t.diagnostic(`GANTRY_TEST_SEED=${seed}`);
  const random = new Random(seed);
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'gantry-first-')));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const built = await buildRecorder(folder);
  if (typeof built === 'string') return t.skip(built);

  await compileOnce();
  const record = async (name: string, killAt: number) => {
    const data = join(folder, name);
    await mkdir(data);
    const recorder = new Recorder(built.library, data);
    const first = launch({ data, env: recorder.begin({ killAt }) });
    await Promise.race([first.ready, first.exited]);
    await first.end('SIGKILL');
    return { data, recorder };
  };

  const whole = await record('whole', 0);
  const records = whole.recorder.count();
  assert.ok(records > 50, `a first start of ${records} records`);
  for (let cut = 1; cut <= cuts; cut++) {
    // The last ones make the team and its token; the many before them are tables and folders.
    const killAt = random.chance(0.5) ? random.whole(1, records) : records - random.whole(0, 25);
    const { data, recorder } = await record(`cut-${cut}`, killAt);
    const spared = cut % 2 === 0 ? 'nothing' : random;
    recorder.cut(spared);
    const what = `cut at record ${killAt} of ${records} (GANTRY_TEST_SEED=${seed})`;
    const next = launch({ data });
    try {
      const origin = await next.ready.catch((error: Error) =>
        assert.fail(`${what}: ${error.message}`),
      );
      const { teamId, token } = readBootstrap(data);
      const asker = new Asker(origin, basic(teamId, token));
      const answer = await asker.ask('GET', '/v2/');
      asker.close();
      assert.equal(answer.status, 200, `${what}: the token of bootstrap.json`);
    } finally {
      await next.end('SIGKILL');
      await rm(data, { recursive: true });
    }
  }
});
