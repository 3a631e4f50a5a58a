import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Asker } from '../attacks/route-matrix/ask.ts';
import { useServer } from '../spec/fixture.ts';
import { findPython } from '../tools/python.ts';
import { readDocument } from './document.ts';

const python = findPython();
const skip = 'missing' in python ? python.missing : false;
const fixture = useServer();

test('the OpenAPI document is one, by openapi-spec-validator', { skip }, async (t) => {
  assert.ok('path' in python);
  const folder = await mkdtemp(join(tmpdir(), 'gantry-openapi-'));
  const asker = new Asker(fixture.server.origin);
  t.after(async () => {
    asker.close();
    await rm(folder, { recursive: true });
  });
  const document = await readDocument(asker);
  assert.equal(document.openapi, '3.1.0');
  const good = join(folder, 'good.json');
  const bad = join(folder, 'bad.json');
  await writeFile(good, JSON.stringify(document));
  await writeFile(bad, JSON.stringify({ ...document, info: {} }));
  const validate = (file: string) =>
    spawnSync(python.path, ['-m', 'openapi_spec_validator', '--schema', '3.1', file], {
      encoding: 'utf8',
    });
  const { status, stdout, stderr } = validate(good);
  assert.equal(status, 0, `${stdout}${stderr}`);
  assert.notEqual(validate(bad).status, 0, 'the validator can tell');
});
