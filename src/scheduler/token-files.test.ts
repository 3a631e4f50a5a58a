import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type IdentityPlace, TokenFiles, tokenFile } from './token-files.ts';

const place: IdentityPlace = {
  ...{ teamId: 'team_1', teamSlug: 'acme', projectId: 'prj_1', projectSlug: 'shop' },
  ...{ environment: 'production', service: 'web', role: undefined },
};

test('a folder that another replica made is kept where it is mounted, and only where it is the instance’s own', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'gantry-tokens-'));
  t.after(() => rmSync(root, { recursive: true }));
  let issued = 0;
  const open = (name: string) =>
    TokenFiles.open({
      folder: join(root, name),
      identities: {
        issue: async () => ({
          ...{ oidcToken: `token ${++issued}`, expiresAt: 3_600_000 },
          ...{ accessKeyId: '', accessKeySecret: '', securityToken: '' },
        }),
      },
      ...{ clock: { now: () => 0 }, log: { warn: assert.fail } },
    });
  const [one, two] = [await open('one'), await open('two')];
  t.after(() => Promise.all([one.close(), two.close()]));
  const { source } = await one.make('ins_1', place);
  const adopted = await two.make('ins_1', place, source);
  assert.equal(adopted.source, source);
  assert.equal(readFileSync(join(source, tokenFile), 'utf8'), 'token 2');
  // Another's, or none that can be read: a folder of its own.
  for (const [id, of, at] of [
    ['ins_1', { ...place, service: 'other' }, source],
    ['ins_2', place, source],
    ['ins_3', place, join(root, 'gone', 'ins_3', 'files')],
  ] as const) {
    const made = await two.make(id, of, at);
    assert.equal(made.source, join(root, 'two', id, 'files'));
  }
  assert.equal(readFileSync(join(source, tokenFile), 'utf8'), 'token 2');
  await two.make('ins_1', place, source);
  two.release('ins_1');
  await two.close();
  assert.equal(existsSync(join(root, 'one', 'ins_1')), false);
});
