import assert from 'node:assert/strict';
import test, { after } from 'node:test';
import { digestOf } from '../oci/digest.ts';
import { parseRepositoryPath } from '../oci/reference.ts';
import type { CatalogScope } from '../ports/repositories.ts';
import { Listing } from './list.ts';
import { openWorld, plan } from './registry-test-kit.ts';

const world = await openWorld({ after });
const { metadata, repository } = world;
const { writer } = metadata;
const listing = new Listing(metadata);

async function put(text: string, more: object): Promise<void> {
  await writer.run('PutManifest', {
    repositoryId: repository.id,
    digest: digestOf(Buffer.from(text)),
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    content: Buffer.from(text),
    artifactType: undefined,
    annotations: undefined,
    subject: undefined,
    blobs: [],
    optionalBlobs: [],
    manifests: [],
    layers: [],
    imageSize: 0,
    platform: undefined,
    tags: [],
    actor: 'ci',
    overwrite: true,
    limits: { plan: plan.name },
    now: 0,
    ...more,
  });
}

test('tags come in byte order, page by page', async () => {
  const names = ['B', 'a', 'a-1', 'a.1', 'a_1', 'b', 'v10', 'v2'];
  await put('tagged', { tags: [...names].reverse() });
  const sorted = [...names].sort();
  assert.deepEqual(await listing.tags(repository.id, undefined, 100), {
    items: sorted,
    more: false,
  });
  for (const n of [1, 2, 3, 7, 8, 9]) {
    const seen: string[] = [];
    for (let last: string | undefined; ; last = seen.at(-1)) {
      const page = await listing.tags(repository.id, last, n);
      seen.push(...page.items);
      assert.ok(page.items.length <= n);
      if (!page.more) break;
    }
    assert.deepEqual(seen, sorted, `${n} a page`);
  }
  assert.deepEqual(await listing.tags(repository.id, 'a.0', 2), {
    items: ['a.1', 'a_1'],
    more: true,
  });
  assert.deepEqual(await listing.tags(repository.id, 'z', 2), { items: [], more: false });
  assert.deepEqual(await listing.tags(repository.id, undefined, 0), { items: [], more: false });
});

test('the catalog of several scopes is one list, in the order of teams, projects and names', async () => {
  const teams = { acme: 'team_1', 'acme-2': 'team_2', 'acme.3': 'team_3' };
  let made = 1;
  const expected: Record<string, string[]> = {};
  for (const [slug, teamId] of Object.entries(teams)) {
    if (teamId !== 'team_1') {
      const team = { id: teamId, slug, name: slug, plan: plan.name, createdAt: 0 };
      await writer.run('CreateTeam', team);
    }
    expected[teamId] = [];
    for (const project of ['p', 'p-1', 'p.1']) {
      const id = `prj_${++made}`;
      await writer.run('CreateProject', { id, teamId, slug: project, settings: {}, createdAt: 0 });
      for (const name of ['x', 'x-1', 'x.1', 'x_1']) {
        await world.ensure(name, 'private', id);
        expected[teamId].push(`${slug}/${project}/${name}`);
      }
    }
    if (teamId === 'team_1') expected[teamId].push('acme/shop/web');
  }
  const scopes = (...ids: string[]): CatalogScope[] => ids.map((teamId) => ({ teamId }));
  const parts = (name: string) => Object.values(parseRepositoryPath(name)!).join('\0');
  const cases: [CatalogScope[], string[]][] = [
    [[], []],
    [scopes('team_none'), []],
    [scopes('team_1'), expected.team_1!],
    [scopes('team_3', 'team_1', 'team_2'), Object.values(expected).flat()],
    [scopes('team_2', 'team_2'), expected.team_2!],
    [[{ teamId: 'team_2', projectIds: [] }], []],
    [
      [
        { teamId: 'team_1', projectIds: ['prj_2'] },
        { teamId: 'team_1', projectIds: ['prj_4', 'prj_2'] },
        // A project of another team is not in this one.
        { teamId: 'team_1', projectIds: ['prj_5'] },
      ],
      expected.team_1!.filter((name) => /\/p\/|\/p\.1\//.test(name)),
    ],
  ];
  for (const [asked, names] of cases) {
    const sorted = [...names].sort((a, b) => (parts(a) < parts(b) ? -1 : 1));
    for (const n of [1, 2, 5, 1000]) {
      const seen: string[] = [];
      for (;;) {
        const last = seen.length > 0 ? parseRepositoryPath(seen.at(-1)!) : undefined;
        const page = await listing.catalog(asked, last, n);
        assert.ok(page.items.length <= n);
        seen.push(...page.items);
        if (!page.more) break;
      }
      assert.deepEqual(seen, sorted, `${JSON.stringify(asked)}, ${n} a page`);
    }
  }
  assert.deepEqual(await listing.catalog(scopes('team_1'), undefined, 0), {
    items: [],
    more: false,
  });
});

test('referrers of one subject, of any type or of one', async () => {
  const subject = digestOf(Buffer.from('subject'));
  const digests = ['one', 'two', 'three'].map((text) => digestOf(Buffer.from(text))).sort();
  await put('one', { subject, artifactType: 'a/b', annotations: { k: 'v' } });
  await put('two', { subject, artifactType: 'a/c' });
  await put('three', { subject });
  await put('four', { subject: digestOf(Buffer.from('other')), artifactType: 'a/b' });
  const all = await listing.referrers(repository.id, subject, undefined, undefined);
  assert.deepEqual(
    all.items.map(({ digest }) => digest),
    digests,
  );
  assert.equal(all.more, false);
  const rest = await listing.referrers(repository.id, subject, undefined, digests[0]);
  assert.deepEqual(
    rest.items.map(({ digest }) => digest),
    digests.slice(1),
  );
  const [one, ...others] = (await listing.referrers(repository.id, subject, 'a/b', undefined))
    .items;
  assert.deepEqual([one?.artifactType, one?.annotations, others], ['a/b', { k: 'v' }, []]);
  const elsewhere = await world.ensure('elsewhere');
  assert.deepEqual(
    (await listing.referrers(elsewhere.id, subject, undefined, undefined)).items,
    [],
  );
});
