import assert from 'node:assert/strict';
import { cp, mkdir, open, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { backup, check, restore } from '../../../src/compose-backup.ts';
import { RegistryError } from '../../../src/oci/errors.ts';
import { type Env, refused } from './commands.ts';
import type { Random } from './random.ts';

/** Damages copies of the backup `target` in every way, and expects that each is refused with what is wrong. */
export async function expectRefusals(
  folder: string,
  target: string,
  data: string,
  random: Random,
): Promise<void> {
  const copy = join(folder, 'damaged');
  const fresh = { GANTRY_DATA: join(folder, 'fresh') };
  const everything = { blobs: true, key: true, verify: false };
  const whole = { blobs: true, allowDamaged: false };
  const at = (env: Env) => ({ env: { ...env }, cwd: folder });
  const refusal = async (work: () => Promise<unknown>): Promise<string> => {
    const result = await work().catch((error: RegistryError) => error);
    assert.ok(result instanceof RegistryError && result.info.hint, JSON.stringify(result));
    return result.message;
  };
  const damage = async (name: string, work: (file: string) => Promise<void>): Promise<string> => {
    await rm(copy, { recursive: true, force: true });
    await cp(target, copy, { recursive: true });
    const files = (await readdir(copy, { recursive: true })).filter((path) => path.includes(name));
    await work(
      join(
        copy,
        random.pick(files.filter((path) => !path.endsWith('.json') || name === 'backup.json'))!,
      ),
    );
    return await refusal(() => restore(at(fresh), copy, whole));
  };
  const flip = async (file: string): Promise<void> => {
    const handle = await open(file, 'r+');
    const { size } = await handle.stat();
    const at = random.whole(0, size - 1);
    const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, at);
    await handle.write(Buffer.from([buffer[0]! ^ (1 << random.whole(0, 7))]), 0, 1, at);
    await handle.close();
  };
  assert.match(
    await damage('upl_', flip),
    /1 of its blobs cannot be used \(sha256:\w+: its bytes hash to/,
  );
  assert.match(await refusal(() => check(at(fresh), copy)), /its bytes hash to/);
  const report = await restore(at(fresh), copy, { blobs: true, allowDamaged: true });
  assert.equal(report.lost.length, 1);
  fresh.GANTRY_DATA = join(folder, 'fresh2');
  assert.match(
    await damage('upl_', (file) => rm(file)),
    /1 of its blobs cannot be used \(sha256:\w+: it is missing/,
  );
  assert.match(await damage('database-', flip), /database-\w+\.gz is not what it was/);
  assert.match(
    await damage('secret.key', (file) => writeFile(file, `${'0'.repeat(64)}\n`)),
    /secret\.key is not the key/,
  );
  assert.match(
    await damage('backup.json', (file) => rm(file)),
    /no whole backup: backup\.json, which is written last, is missing/,
  );
  assert.match(await refused(['restore', target], { GANTRY_DATA: data }), /uses the folder/);
  const stranger = join(folder, 'stranger');
  await cp(join(target, 'blobs'), join(stranger, 'blobs'), { recursive: true });
  await mkdir(join(stranger, 'blobs', '00'), { recursive: true });
  await writeFile(join(stranger, 'blobs', '00', `upl_${'0'.repeat(32)}`), 'x');
  assert.match(
    await refusal(() => restore(at({ GANTRY_DATA: stranger }), target, whole)),
    /is not empty: it holds 1 blobs/,
  );
  assert.match(
    await refusal(() => backup(at({ GANTRY_DATA: data }), folder, everything)),
    /holds something else than a backup/,
  );
}
