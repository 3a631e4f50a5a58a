import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { addImage, emptyBundle } from '../spec/bundles.ts';
import { expectError, expectStatus } from '../spec/check.ts';
import type { Answer } from '../spec/client.ts';
import { type Content, content, mediaTypes, unknownDigest } from '../spec/content.ts';
import { useServer } from '../spec/fixture.ts';
import { manifestStatus, pushBundle } from '../spec/push.ts';

let repository: string;
let top: Content;
let fields: Record<string, unknown>;

const fixture = useServer({
  async prepare(ready) {
    const { registry } = ready;
    repository = ready.repository();
    const bundle = emptyBundle();
    top = addImage(bundle);
    fields = JSON.parse(top.bytes.toString()) as Record<string, unknown>;
    await pushBundle(registry, repository, { ...bundle, manifests: [] });
  },
});

async function put(body: string | Uint8Array, type: string = mediaTypes.manifest): Promise<Answer> {
  const started = performance.now();
  const answer = await fixture.registry.ask('PUT', `/v2/${repository}/manifests/attack`, {
    headers: { 'content-type': type },
    body,
  });
  const took = performance.now() - started;
  assert.ok(took < 5_000, `${answer.what}: took ${Math.round(took)} ms`);
  return answer;
}

async function expectNothing(body: string | Uint8Array): Promise<void> {
  assert.equal(await manifestStatus(fixture.registry, repository, 'attack'), 404);
  const { digest } = content(body);
  assert.equal(await manifestStatus(fixture.registry, repository, digest), 404);
}

const types = [
  mediaTypes.manifest,
  mediaTypes.index,
  mediaTypes.dockerManifest,
  mediaTypes.dockerList,
];

describe('A10: mediaType is not Content-Type', () => {
  for (const inside of types)
    for (const outside of types)
      if (inside !== outside)
        test(`A10: ${inside} sent as ${outside}: 400`, async () => {
          const body = JSON.stringify({ ...fields, mediaType: inside });
          expectError(await put(body, outside), 400, 'MANIFEST_INVALID');
          await expectNothing(body);
        });
});

describe('A11: layers and manifests in one document', () => {
  for (const type of types)
    test(`A11: as ${type}: 400`, async () => {
      for (const more of [{ manifests: [] }, { manifests: [top.descriptor] }]) {
        const body = JSON.stringify({ ...fields, ...more, mediaType: type });
        expectError(await put(body, type), 400, 'MANIFEST_INVALID');
        await expectNothing(body);
      }
    });

  test('A11: an index with config or layers: 400', async () => {
    for (const more of [{ config: fields.config }, { layers: fields.layers }, { layers: [] }]) {
      const body = JSON.stringify({
        schemaVersion: 2,
        mediaType: mediaTypes.index,
        manifests: [],
        ...more,
      });
      expectError(await put(body, mediaTypes.index), 400, 'MANIFEST_INVALID');
      await expectNothing(body);
    }
  });

  test('A11: a field that is there twice is one kind for everybody or refused', async () => {
    const twice = `${JSON.stringify(fields).slice(0, -1)},"mediaType":"${mediaTypes.index}","manifests":[]}`;
    expectError(await put(twice), 400, 'MANIFEST_INVALID');
  });
});

describe('A12: manifests that cost more than they are worth', () => {
  test('A12: over 4 MiB is 413', async () => {
    for (const size of [4 * 1024 * 1024 + 1, 8_000_000]) {
      const body = JSON.stringify({ ...fields, annotations: { pad: 'x'.repeat(size) } });
      expectError(await put(body), 413, 'SIZE_INVALID', 'MANIFEST_INVALID');
      await expectNothing(body);
    }
  });

  test('A12: 100,000 descriptors are 400 or 413', async () => {
    const [layer] = fields.layers as unknown[];
    const body = JSON.stringify({
      ...fields,
      layers: Array.from({ length: 100_000 }, () => layer),
    });
    expectStatus(await put(body), 400, 413);
    await expectNothing(body);
    const short = `{"digest":"${unknownDigest()}","size":1,"mediaType":"a/b"}`;
    const many = Array.from({ length: 30_000 }, () => short).join(',');
    const index = `{"schemaVersion":2,"mediaType":"${mediaTypes.index}","manifests":[${many}]}`;
    expectStatus(await put(index, mediaTypes.index), 400, 413);
  });

  for (const [name, open, close] of [
    ['arrays', '[', ']'],
    ['objects', '{"a":', '}'],
  ] as const)
    for (const depth of [1_000, 100_000, 600_000])
      test(`A12: ${depth} nested ${name} are 400 or 413`, async () => {
        const nested = open.repeat(depth) + (open === '[' ? '' : '1') + close.repeat(depth);
        const whole = JSON.stringify(fields);
        for (const body of [
          nested,
          `${whole.slice(0, -1)},"deep":${nested}}`,
          open.repeat(depth),
        ]) {
          expectStatus(await put(body), 400, 413);
          await expectNothing(body);
        }
      });

  test('A12: a million keys, numbers without end and long texts are answered in time', async () => {
    const bodies = [
      `{${Array.from({ length: 250_000 }, (_, at) => `"${at}":1`).join(',')}}`,
      `{"schemaVersion":${'9'.repeat(1_000_000)}}`,
      `{"schemaVersion":2,"mediaType":"${'a'.repeat(3_000_000)}"}`,
      `{"schemaVersion":1e99999,"mediaType":"${mediaTypes.manifest}"}`,
      `"${'\\u0000'.repeat(500_000)}"`,
    ];
    for (const body of bodies) expectStatus(await put(body), 400, 413, 415);
  });
});

describe('A12: fields of the wrong kind', () => {
  const wrong: [string, (document: Record<string, unknown>) => void][] = [
    ['schemaVersion 1', (it) => Object.assign(it, { schemaVersion: 1 })],
    ['schemaVersion "2"', (it) => Object.assign(it, { schemaVersion: '2' })],
    ['layers as an object', (it) => Object.assign(it, { layers: {} })],
    ['a layer that is null', (it) => Object.assign(it, { layers: [null] })],
    [
      'a layer without a digest',
      (it) => Object.assign(it, { layers: [{ size: 1, mediaType: 'a/b' }] }),
    ],
    ['config as an array', (it) => Object.assign(it, { config: [] })],
    ['annotations of numbers', (it) => Object.assign(it, { annotations: { a: 1 } })],
    ['annotations as an array', (it) => Object.assign(it, { annotations: ['a'] })],
    ['artifactType as a number', (it) => Object.assign(it, { artifactType: 7 })],
    ['a subject without a digest', (it) => Object.assign(it, { subject: {} })],
    ['a subject that is a text', (it) => Object.assign(it, { subject: unknownDigest() })],
    ...[-1, 1.5, 2 ** 60, '5', null].map(
      (size): [string, (it: Record<string, unknown>) => void] => [
        `a config of size ${size}`,
        (it) => Object.assign(it, { config: { ...(it.config as object), size } }),
      ],
    ),
    ...['sha256:../../etc', 'md5:d41d8cd98f00b204e9800998ecf8427e', '', 7].map(
      (digest): [string, (it: Record<string, unknown>) => void] => [
        `a config of digest "${digest}"`,
        (it) => Object.assign(it, { config: { ...(it.config as object), digest } }),
      ],
    ),
  ];
  for (const [name, change] of wrong)
    test(`A12: ${name}: 400 MANIFEST_INVALID`, async () => {
      const document = structuredClone(fields);
      change(document);
      const body = JSON.stringify(document);
      expectError(await put(body), [400, 415], 'MANIFEST_INVALID', 'UNSUPPORTED');
      await expectNothing(body);
    });

  test('A12: data that is not the content of its digest: 400', async () => {
    const config = { ...(fields.config as object), data: Buffer.from('other').toString('base64') };
    const body = JSON.stringify({ ...fields, config });
    expectError(await put(body), 400, 'MANIFEST_INVALID');
    await expectNothing(body);
  });
});

describe('A13: a manifest that names what is not there', () => {
  test('A13: an absent blob: MANIFEST_BLOB_UNKNOWN, naming it', async () => {
    const digest = unknownDigest();
    const layers = [{ mediaType: mediaTypes.layer, digest, size: 5 }];
    const body = JSON.stringify({ ...fields, layers });
    const answer = expectError(await put(body), [400, 404], 'MANIFEST_BLOB_UNKNOWN');
    assert.ok(answer.text().includes(digest), 'the answer names the digest');
    await expectNothing(body);
  });

  test('A13: a size that is not that of the blob is refused', async () => {
    const [layer] = fields.layers as { size: number }[];
    const body = JSON.stringify({ ...fields, layers: [{ ...layer, size: layer!.size + 1 }] });
    expectError(await put(body), 400, 'MANIFEST_INVALID', 'SIZE_INVALID');
    await expectNothing(body);
  });
});
