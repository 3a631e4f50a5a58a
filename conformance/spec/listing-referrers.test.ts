import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { addArtifact, addImage, addIndex, emptyBundle, image } from './bundles.ts';
import { expectError, expectHeader, expectStatus } from './check.ts';
import type { Answer } from './client.ts';
import { type Content, type Descriptor, mediaTypes, unknownDigest } from './content.ts';
import { useServer } from './fixture.ts';
import { pushBundle, putManifest } from './push.ts';

const fixture = useServer();
const sbom = 'application/vnd.example.sbom.v1';
const signature = 'application/vnd.example.signature.v1+json';

function ask(repository: string, digest: string, artifactType?: string): Promise<Answer> {
  return fixture.registry.get(`/v2/${repository}/referrers/${digest}`, {
    query: artifactType === undefined ? {} : { artifactType },
  });
}

/** The descriptors of one page, after a check of its form. */
function descriptorsOf(answer: Answer): Descriptor[] {
  expectStatus(answer, 200);
  expectHeader(answer, 'content-type', mediaTypes.index);
  const index = answer.json() as Record<string, unknown>;
  assert.equal(index.schemaVersion, 2);
  assert.equal(index.mediaType, mediaTypes.index);
  assert.ok(Array.isArray(index.manifests));
  return index.manifests as Descriptor[];
}

/** All pages, in the order of their digests. */
async function all(
  repository: string,
  digest: string,
  artifactType?: string,
): Promise<Descriptor[]> {
  let answer = await ask(repository, digest, artifactType);
  const found = descriptorsOf(answer);
  for (let next = answer.nextPage(); next !== undefined; next = answer.nextPage()) {
    answer = await fixture.registry.get(next);
    const page = descriptorsOf(answer);
    assert.ok(page.length > 0, 'a further page holds something');
    found.push(...page);
  }
  return inOrder(found);
}

function inOrder(list: readonly Descriptor[]): Descriptor[] {
  return [...list].sort((one, other) => (one.digest < other.digest ? -1 : 1));
}

describe('Listing Referrers', () => {
  let repository: string;
  let subject: Content;
  let wanted: Descriptor[];

  before(async () => {
    repository = fixture.repository();
    const bundle = emptyBundle();
    subject = addImage(bundle);
    const { descriptor } = subject;
    const annotations = { 'org.opencontainers.image.created': '2024-01-01T00:00:00Z', a: 'ü "x"' };
    addArtifact(bundle, { subject: descriptor, artifactType: sbom, annotations });
    addArtifact(bundle, { subject: descriptor, artifactType: signature });
    addArtifact(bundle, { subject: descriptor, configMediaType: signature });
    addImage(bundle, { subject: descriptor });
    addIndex(bundle, [], { subject: descriptor, artifactType: sbom, annotations });
    addIndex(bundle, [], { subject: descriptor, annotations: { only: 'annotations' } });
    wanted = inOrder(bundle.referrers.get(subject.digest)!);
    await pushBundle(fixture.registry, repository, bundle);
  });

  test('Listing Referrers: each has its type, artifactType and annotations, and no more', async () => {
    assert.deepEqual(await all(repository, subject.digest), wanted);
  });

  test('Listing Referrers: an index without artifactType has none in the list', async () => {
    const found = await all(repository, subject.digest);
    const plain = found.find(({ annotations }) => annotations?.only !== undefined);
    assert.ok(plain);
    assert.ok(!Object.hasOwn(plain, 'artifactType'));
  });

  for (const artifactType of [sbom, signature, mediaTypes.config, 'application/none'])
    test(`Listing Referrers: filtered by ${artifactType}, and the header says so`, async () => {
      const answer = await ask(repository, subject.digest, artifactType);
      expectHeader(answer, 'oci-filters-applied', 'artifactType');
      const expected = wanted.filter((item) => item.artifactType === artifactType);
      assert.deepEqual(inOrder(descriptorsOf(answer)), expected);
    });

  test('Listing Referrers: without a filter the header is not there', async () => {
    const answer = await ask(repository, subject.digest);
    assert.equal(answer.header('oci-filters-applied'), undefined);
  });

  test('Listing Referrers: a digest that nothing refers to has an empty list', async () => {
    for (const digest of [unknownDigest(), unknownDigest('sha512')])
      assert.deepEqual(await all(repository, digest), []);
    assert.deepEqual(await all(repository, wanted[0]!.digest), []);
  });

  test('Listing Referrers: a repository that is not there is no 404', async () => {
    assert.deepEqual(await all(fixture.repository('absent'), unknownDigest()), []);
  });

  for (const digest of [
    'sha256:short',
    'sha256:',
    'md5:d41d8cd98f00b204e9800998ecf8427e',
    'latest',
  ])
    test(`Listing Referrers: of "${digest}" is 400`, async () => {
      expectError(await ask(repository, digest), 400, 'DIGEST_INVALID');
    });

  test('Listing Referrers: those in another repository are not listed', async () => {
    const other = fixture.repository();
    const bundle = emptyBundle();
    addArtifact(bundle, { subject: subject.descriptor, artifactType: sbom });
    await pushBundle(fixture.registry, other, bundle);
    assert.deepEqual(await all(repository, subject.digest), wanted);
    assert.equal((await all(other, subject.digest)).length, 1);
  });

  test('Push: referrers come before their subject, and after it', async () => {
    const own = fixture.repository();
    const { top, ...bundle } = image();
    const early = emptyBundle();
    const first = addArtifact(early, { subject: top.descriptor, artifactType: sbom });
    await pushBundle(fixture.registry, own, early);
    assert.deepEqual(
      (await all(own, top.digest)).map(({ digest }) => digest),
      [first.digest],
    );
    await pushBundle(fixture.registry, own, bundle);
    const late = emptyBundle();
    addArtifact(late, { subject: top.descriptor, artifactType: sbom });
    await pushBundle(fixture.registry, own, late, 'tagged');
    assert.equal((await all(own, top.digest)).length, 2);
  });

  test('Listing Referrers: a subject named by sha512', async () => {
    const own = fixture.repository();
    const bundle = emptyBundle();
    const top = addImage(bundle, { algorithm: 'sha512' });
    const letter = addArtifact(bundle, { subject: top.descriptor, artifactType: sbom });
    await pushBundle(fixture.registry, own, bundle);
    assert.deepEqual(
      (await all(own, top.digest)).map(({ digest }) => digest),
      [letter.digest],
    );
  });

  test('Listing Referrers: a referrer pushed twice is listed once', async () => {
    const own = fixture.repository();
    const bundle = emptyBundle();
    const top = addImage(bundle);
    const letter = addArtifact(bundle, { subject: top.descriptor, artifactType: sbom });
    await pushBundle(fixture.registry, own, bundle);
    for (const reference of ['one', 'two', letter.digest])
      expectStatus(await putManifest(fixture.registry, own, reference, letter), 201);
    assert.equal((await all(own, top.digest)).length, 1);
  });

  test('Deleting Manifests: a deleted referrer leaves the list, its subject need not be there', async () => {
    const own = fixture.repository();
    const bundle = emptyBundle();
    const top = addImage(bundle);
    const [one, two] = [sbom, signature].map((artifactType) =>
      addArtifact(bundle, { subject: top.descriptor, artifactType }),
    );
    await pushBundle(fixture.registry, own, bundle);
    expectStatus(await fixture.registry.delete(`/v2/${own}/manifests/${one!.digest}`), 202);
    assert.deepEqual(
      (await all(own, top.digest)).map(({ digest }) => digest),
      [two!.digest],
    );
    expectStatus(await fixture.registry.delete(`/v2/${own}/manifests/${top.digest}`), 202);
    expectStatus(await ask(own, top.digest), 200);
  });

  test('Listing Referrers: more than fit into a manifest come in pages by Link', async () => {
    const own = fixture.repository();
    const bundle = emptyBundle();
    const top = addImage(bundle);
    for (let at = 0; at < 5; at++)
      addArtifact(bundle, {
        subject: top.descriptor,
        artifactType: at % 2 === 0 ? sbom : signature,
        annotations: { 'org.example.long': `${at}`.repeat(1_000_000) },
      });
    await pushBundle(fixture.registry, own, bundle);
    const first = await ask(own, top.digest);
    assert.ok(first.body.length <= 4 * 1024 * 1024, `a page of ${first.body.length} bytes`);
    const expected = inOrder(bundle.referrers.get(top.digest)!);
    assert.deepEqual(
      (await all(own, top.digest)).map(({ digest }) => digest),
      expected.map(({ digest }) => digest),
    );
    assert.equal((await all(own, top.digest, sbom)).length, 3);
  });

  test('Enabling the Referrers API: a list pushed as a referrers tag changes nothing here', async () => {
    const own = fixture.repository();
    const bundle = emptyBundle();
    const top = addImage(bundle);
    const letter = addArtifact(bundle, { subject: top.descriptor, artifactType: sbom });
    const list = addIndex(bundle, [letter.descriptor]);
    await pushBundle(fixture.registry, own, bundle, top.digest.replace(':', '-'));
    assert.deepEqual(
      (await all(own, top.digest)).map(({ digest }) => digest),
      [letter.digest],
    );
    const path = `/v2/${own}/manifests/${top.digest.replace(':', '-')}`;
    expectHeader(await fixture.registry.head(path), 'docker-content-digest', list.digest);
  });
});
