import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import test from 'node:test';
import { openVolumes } from './volumes.ts';

test('a volume that many ask for is measured once at a time', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'gantry-volumes-'));
  const { PATH } = process.env;
  t.after(async () => {
    process.env.PATH = PATH;
    await rm(folder, { recursive: true });
  });
  await mkdir(join(folder, 'gantry-vol_1', '_data'), { recursive: true });
  await writeFile(join(folder, 'gantry-vol_1', '_data', 'file'), Buffer.alloc(1 << 20, 1));
  // The real one, and a line for each run of it.
  const runs = join(folder, 'runs');
  await writeFile(
    join(folder, 'du'),
    `#!/bin/sh\necho >> '${runs}'\nPATH='${PATH}' exec du "$@"\n`,
  );
  await chmod(join(folder, 'du'), 0o755);
  process.env.PATH = `${folder}${delimiter}${PATH}`;
  const engine = { call: () => assert.fail('the engine does not measure') };
  const volumes = openVolumes(engine, { installation: 'tests', folder });
  const measured = await Promise.all(Array.from({ length: 20 }, () => volumes.usage('vol_1')));
  assert.equal(new Set(measured).size, 1);
  assert.ok(measured[0]! >= 1 << 20, `${measured[0]}`);
  assert.equal((await readFile(runs, 'latin1')).length, 1);
  await volumes.usage('vol_1');
  assert.equal((await readFile(runs, 'latin1')).length, 2, 'what is over says nothing of now');
});
