import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { addImage, addIndex, emptyBundle, image } from './bundles.ts';
import { errorsOf, expectError, expectHeader, expectStatus } from './check.ts';
import {
  type Content,
  content,
  digestOf,
  imageConfig,
  manifest,
  mediaTypes,
  unknownDigest,
} from './content.ts';
import { useServer } from './fixture.ts';
import { expectCreated, manifestStatus, pushBlob, pushBundle, putManifest } from './push.ts';

const fixture = useServer();

/** A repository that has the blobs of an image, and the image's manifest, not yet pushed. */
async function prepared(): Promise<{ repository: string; top: Content }> {
  const repository = fixture.repository();
  const { top, blobs } = image();
  await pushBundle(fixture.registry, repository, { blobs, manifests: [] });
  return { repository, top };
}

describe('Pushing Manifests', () => {
  test('Pushing Manifests: by tag: 201, a URL that serves it, and its digest', async () => {
    const { repository, top } = await prepared();
    const answer = await putManifest(fixture.registry, repository, 'latest', top);
    await expectCreated(fixture.registry, answer, top);
    const path = `/v2/${repository}/manifests/${top.digest}`;
    assert.ok(expectStatus(await fixture.registry.get(path), 200).body.equals(top.bytes));
  });

  for (const algorithm of ['sha256', 'sha512'] as const)
    test(`Pushing Manifests: by ${algorithm} digest: no tag is made`, async () => {
      const { repository, top } = await prepared();
      const item = content(top.bytes, mediaTypes.manifest, algorithm);
      const answer = await putManifest(fixture.registry, repository, item.digest, item);
      await expectCreated(fixture.registry, answer, item);
      const list = await fixture.registry.get(`/v2/${repository}/tags/list`);
      assert.deepEqual(expectStatus(list, 200).json(), { name: repository, tags: [] });
    });

  test('Pushing Manifests: the bytes are kept exactly, however they are laid out', async () => {
    const { repository, top } = await prepared();
    const fields = JSON.parse(top.bytes.toString()) as Record<string, unknown>;
    const reversed = Object.fromEntries(Object.entries(fields).reverse());
    const layouts = [
      JSON.stringify(fields, null, 3),
      `\r\n\t ${JSON.stringify(reversed)} \n\n`,
      JSON.stringify({ ...fields, annotations: { 'org.example.text': 'grüße 𝄞 \u2028 <&>' } }),
      JSON.stringify(fields).replaceAll('/', '\\/'),
    ];
    for (const [at, text] of layouts.entries()) {
      const item = content(text, mediaTypes.manifest);
      const answer = await putManifest(fixture.registry, repository, `layout-${at}`, item);
      await expectCreated(fixture.registry, answer, item);
    }
  });

  test('Pushing Manifests: a manifest may be pushed again, and a tag moved', async () => {
    const { repository, top } = await prepared();
    const other = content(Buffer.concat([top.bytes, Buffer.from('\n')]), mediaTypes.manifest);
    for (const item of [top, top, other, top, other]) {
      expectStatus(await putManifest(fixture.registry, repository, 'moving', item), 201);
      const got = await fixture.registry.get(`/v2/${repository}/manifests/moving`);
      expectHeader(expectStatus(got, 200), 'docker-content-digest', item.digest);
    }
    assert.equal(await manifestStatus(fixture.registry, repository, top.digest), 200);
  });

  test('Pushing Manifests: a digest that is not that of the bytes is 400 and stores nothing', async () => {
    const { repository, top } = await prepared();
    for (const digest of [unknownDigest(), unknownDigest('sha512')]) {
      const answer = await putManifest(fixture.registry, repository, digest, top);
      expectError(answer, 400, 'DIGEST_INVALID', 'MANIFEST_INVALID');
      assert.equal(await manifestStatus(fixture.registry, repository, digest), 404);
    }
    assert.equal(await manifestStatus(fixture.registry, repository, top.digest), 404);
  });

  for (const reference of [
    'sha256:baddigeststring',
    'md5:d41d8cd98f00b204e9800998ecf8427e',
    'sha256:',
  ])
    test(`Pushing Manifests: to "${reference}" is 400`, async () => {
      const { repository, top } = await prepared();
      const answer = await putManifest(fixture.registry, repository, reference, top);
      expectError(answer, 400, 'DIGEST_INVALID');
    });

  test('Pushing Manifests: parameters of Content-Type are ignored; without one mediaType counts', async () => {
    const { repository, top } = await prepared();
    const path = `/v2/${repository}/manifests/latest`;
    for (const type of [
      `${mediaTypes.manifest}; charset=utf-8`,
      `${mediaTypes.manifest} ;a="b;c"`,
    ]) {
      const headers = { 'content-type': type };
      expectStatus(await fixture.registry.ask('PUT', path, { headers, body: top.bytes }), 201);
    }
    const bare = await fixture.registry.ask('PUT', path, { body: top.bytes });
    expectStatus(bare, 201, 400);
  });

  test('Pushing Manifests: a manifest without mediaType is what Content-Type says', async () => {
    const { repository, top } = await prepared();
    const { mediaType: _, ...fields } = JSON.parse(top.bytes.toString()) as Record<string, unknown>;
    const item = content(JSON.stringify(fields), mediaTypes.manifest);
    await expectCreated(
      fixture.registry,
      await putManifest(fixture.registry, repository, 'untyped', item),
      item,
    );
    const got = await fixture.registry.head(`/v2/${repository}/manifests/untyped`);
    expectHeader(got, 'content-type', mediaTypes.manifest);
  });
});

describe('Push: a manifest that names what is not there', () => {
  const absent = () => ({ mediaType: mediaTypes.layer, digest: unknownDigest(), size: 10 });

  test('Push: an absent layer or config is MANIFEST_BLOB_UNKNOWN', async () => {
    const repository = fixture.repository();
    const config = imageConfig([]);
    expectStatus(await pushBlob(fixture.registry, repository, config), 201);
    const lacking = [
      manifest(mediaTypes.manifest, { config: config.descriptor, layers: [absent()] }),
      manifest(mediaTypes.manifest, { config: imageConfig(['x']).descriptor, layers: [] }),
    ];
    for (const item of lacking) {
      const answer = await putManifest(fixture.registry, repository, 'lacking', item);
      expectStatus(answer, 400, 404);
      for (const { code } of errorsOf(answer)) assert.equal(code, 'MANIFEST_BLOB_UNKNOWN');
      assert.equal(await manifestStatus(fixture.registry, repository, 'lacking'), 404);
      assert.equal(await manifestStatus(fixture.registry, repository, item.digest), 404);
    }
  });

  test('Push: an absent child of an index is MANIFEST_BLOB_UNKNOWN', async () => {
    const bundle = emptyBundle();
    const child = addImage(bundle);
    const repository = fixture.repository();
    await pushBundle(fixture.registry, repository, bundle);
    const gone = { ...child.descriptor, digest: unknownDigest() };
    const index = addIndex(bundle, [child.descriptor, gone]);
    const answer = await putManifest(fixture.registry, repository, 'sparse', index);
    expectStatus(answer, 400, 404);
    for (const { code } of errorsOf(answer)) assert.equal(code, 'MANIFEST_BLOB_UNKNOWN');
  });

  test('Push: what another repository has is absent here', async () => {
    const [one, other] = [fixture.repository(), fixture.repository()];
    const { top, ...bundle } = image();
    await pushBundle(fixture.registry, one, bundle);
    await pushBundle(fixture.registry, other, image());
    const answer = await putManifest(fixture.registry, other, 'borrowed', top);
    expectError(answer, [400, 404], 'MANIFEST_BLOB_UNKNOWN');
  });

  test('Push: an absent subject is no obstacle', async () => {
    const { repository, top } = await prepared();
    const fields = JSON.parse(top.bytes.toString()) as Record<string, unknown>;
    const subject = { mediaType: mediaTypes.manifest, digest: unknownDigest(), size: 7 };
    const item = manifest(mediaTypes.manifest, { ...fields, subject });
    const answer = await putManifest(fixture.registry, repository, 'orphan', item);
    await expectCreated(fixture.registry, answer, item);
    expectHeader(answer, 'oci-subject', subject.digest);
  });
});

describe('Pushing Manifests: sizes and forms', () => {
  const padded = (top: Content, size: number) => {
    const fields = JSON.parse(top.bytes.toString()) as Record<string, unknown>;
    const empty = JSON.stringify({ ...fields, annotations: { pad: '' } }).length;
    const annotations = { pad: 'x'.repeat(size - empty) };
    return content(JSON.stringify({ ...fields, annotations }), mediaTypes.manifest);
  };

  test('Pushing Manifests: one of 4 MB is taken, one of 4 MiB and a byte is 413', async () => {
    const { repository, top } = await prepared();
    const large = padded(top, 4_000_000);
    await expectCreated(
      fixture.registry,
      await putManifest(fixture.registry, repository, 'large', large),
      large,
    );
    const larger = padded(top, 4 * 1024 * 1024 + 1);
    assert.equal(larger.bytes.length, 4 * 1024 * 1024 + 1);
    expectStatus(await putManifest(fixture.registry, repository, 'larger', larger), 413);
    assert.equal(await manifestStatus(fixture.registry, repository, 'larger'), 404);
  });

  for (const [name, body] of [
    ['no bytes', ''],
    ['half a document', '{"schemaVersion": 2,'],
    ['an array', '[]'],
    ['null', 'null'],
    ['a text', '"manifest"'],
    ['an empty object', '{}'],
    ['no config', JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.manifest, layers: [] })],
    ['bytes that are no UTF-8', Buffer.from([0x7b, 0xff, 0xfe, 0x7d])],
  ] as const)
    test(`Pushing Manifests: ${name} is 400 MANIFEST_INVALID`, async () => {
      const repository = fixture.repository();
      const answer = await putManifest(
        fixture.registry,
        repository,
        'broken',
        content(body, mediaTypes.manifest),
      );
      expectError(answer, 400, 'MANIFEST_INVALID');
      assert.equal(await manifestStatus(fixture.registry, repository, 'broken'), 404);
    });

  test('Pushing Manifests: a media type that is no manifest is refused', async () => {
    const { repository, top } = await prepared();
    for (const type of [
      'application/json',
      'text/plain',
      'application/vnd.oci.artifact.manifest.v1+json',
      '/',
    ])
      expectError(
        await fixture.registry.ask('PUT', `/v2/${repository}/manifests/latest`, {
          headers: { 'content-type': type },
          body: top.bytes,
        }),
        [400, 415],
        'MANIFEST_INVALID',
        'UNSUPPORTED',
      );
  });
});

describe('Pushing Manifests: tags as parameters', () => {
  const pushTags = async (algorithm: 'sha256' | 'sha512', tags: string[]) => {
    const { repository, top } = await prepared();
    const item = content(top.bytes, mediaTypes.manifest, algorithm);
    const answer = await putManifest(fixture.registry, repository, item.digest, item, {
      tag: tags,
    });
    return { repository, item, answer };
  };

  for (const [algorithm, count] of [
    ['sha256', 4],
    ['sha512', 4],
    ['sha256', 10],
    ['sha256', 50],
  ] as const)
    test(`Pushing Manifests: ${count} tags with a ${algorithm} digest are made and confirmed`, async () => {
      const tags = Array.from({ length: count }, (_, at) => `v${at}.0`);
      const { repository, item, answer } = await pushTags(algorithm, tags);
      await expectCreated(fixture.registry, answer, item);
      const confirmed = answer.headerValues('oci-tag').flatMap((value) => value.split(/\s*,\s*/));
      assert.deepEqual(confirmed.sort(), [...tags].sort());
      for (const tag of tags) {
        const got = expectStatus(
          await fixture.registry.get(`/v2/${repository}/manifests/${tag}`),
          200,
        );
        expectHeader(got, 'docker-content-digest', item.digest);
        assert.equal(digestOf(got.body, algorithm), item.digest);
      }
    });

  test('Pushing Manifests: one bad tag among good ones is 400, and none is made', async () => {
    for (const bad of ['.bad', 'a/b', '', 'x'.repeat(129), 'a b']) {
      const { repository, item, answer } = await pushTags('sha256', ['good', bad]);
      expectStatus(answer, 400);
      assert.equal(await manifestStatus(fixture.registry, repository, 'good'), 404);
      assert.equal(await manifestStatus(fixture.registry, repository, item.digest), 404);
    }
  });

  test('Pushing Manifests: the same tag twice is made once', async () => {
    const { answer } = await pushTags('sha256', ['twice', 'twice']);
    expectHeader(expectStatus(answer, 201), 'oci-tag', /\btwice\b/);
  });

  test('Pushing Manifests: thousands of tags are made or refused as too many', async () => {
    const tags = Array.from({ length: 3_000 }, (_, at) => `tag-${at}`);
    const { answer } = await pushTags('sha256', tags);
    expectStatus(answer, 201, 400, 414, 431);
  });
});
