import assert from 'node:assert/strict';
import test, { after } from 'node:test';
import { digestOf } from '../oci/digest.ts';
import type { CatalogScope } from '../ports/repositories.ts';
import { BlobMount } from './mount-blob.ts';
import { openWorld } from './registry-test-kit.ts';

const world = await openWorld({ after });
const { metadata, repository: target } = world;
const mount = new BlobMount({ ...metadata, clock: world.clock });
await metadata.writer.run('CreateTeam', {
  id: 'team_2',
  slug: 'others',
  name: 'Others',
  plan: 'pro',
  createdAt: 0,
});
for (const [id, teamId] of [
  ['prj_2', 'team_1'],
  ['prj_3', 'team_2'],
] as const)
  await metadata.writer.run('CreateProject', {
    id,
    teamId,
    slug: id.replace('_', '-'),
    settings: {},
    createdAt: 0,
  });
const unknown = digestOf(Buffer.from('nowhere'));
const linked = async (digest: typeof unknown) =>
  (await metadata.blobs.find(target.id, digest)) !== undefined;

test('from a repository that links it, and from no other', async () => {
  const source = await world.ensure('source', 'private', 'prj_2');
  const digest = await world.addBlob('from', source);
  assert.equal(await mount.from(target, target, digest), undefined);
  assert.equal(await mount.from(source, target, unknown), undefined);
  assert.ok(!(await linked(digest)));
  const blob = await mount.from(source, target, digest);
  assert.deepEqual(blob, await metadata.blobs.find(source.id, digest));
  assert.equal(String(await world.read(digest, target)), 'from');
  assert.deepEqual(await mount.from(source, target, digest), blob, 'again');
  assert.equal((await world.files()).length, 1, 'bytes are stored once');
});

test('A4: from anywhere that the caller may see, and nowhere else', async () => {
  const own = await world.ensure('own', 'private', 'prj_2');
  const foreign = await world.ensure('foreign', 'private', 'prj_3');
  const open = await world.ensure('open', 'public', 'prj_3');
  const team: CatalogScope = { teamId: 'team_1' };
  const one: CatalogScope = { teamId: 'team_1', projectIds: ['prj_1'] };
  const two: CatalogScope = { teamId: 'team_1', projectIds: ['prj_2'] };
  const nothing: CatalogScope = { teamId: 'team_1', projectIds: [] };
  const lying: CatalogScope = { teamId: 'team_1', projectIds: ['prj_3'] };
  const cases: [string, typeof own, CatalogScope[], boolean][] = [
    ['own team', own, [team], true],
    ['its project', own, [two], true],
    ['one of its projects', own, [one, two], true],
    ['another project', own, [one], false],
    ['no project', own, [nothing], false],
    ['nothing', own, [], false],
    ['private elsewhere', foreign, [team], false],
    ["another team's project by its id", foreign, [lying], false],
    ['one of two teams', foreign, [team, { teamId: 'team_2' }], true],
    ['public elsewhere', open, [team], true],
    ['public elsewhere, no project', open, [nothing], true],
    ['public elsewhere, nothing', open, [], true],
  ];
  for (const [name, source, scopes, expected] of cases) {
    const digest = await world.addBlob(name, source);
    const blob = await mount.fromAny(scopes, target, digest);
    assert.equal(blob !== undefined, expected, name);
    assert.equal(await linked(digest), expected, name);
  }
  for (const scopes of [[], [team]])
    assert.equal(await mount.fromAny(scopes, target, unknown), undefined);
});
