import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import {
  dockerFiles,
  type File,
  sampleImage,
  sha256,
  tarOf,
} from '../../src/registry/archives/archive-test-kit.ts';
import { fresh } from '../spec/content.ts';
import { useServer } from '../spec/fixture.ts';
import { expectRefusal, Forms, good, multipart, part } from './form-kit.ts';
import { requestLines, withWire } from './wire.ts';

const limit = 20_000_000;
const fixture = useServer({
  env: { GANTRY_IMAGE_LIMIT: String(limit), GANTRY_BODY_TIMEOUT: '2s' },
});
const forms = new Forms(fixture);

describe('A36: archives that inflate', () => {
  const zeros = Buffer.alloc(200_000_000);
  for (const [name, compress] of [
    ['gzip', (bytes: Buffer) => gzipSync(bytes, { level: 9 })],
    ['zstd', (bytes: Buffer) => zstdCompressSync(bytes)],
  ] as const)
    test(`A36: a ${name} bomb is refused at the cap`, async () => {
      const files = [
        { name: 'oci-layout', bytes: '{}' },
        { name: 'bomb', bytes: zeros },
      ];
      const bomb = compress(await tarOf(files));
      expectRefusal(
        await forms.sendArchive(bomb),
        413,
        /more than the 20 MB that plan self-hosted allows/,
      );
    });

  test('A36: a layer that inflates past the cap is refused, though the archive does not', async () => {
    const sample = await sampleImage('bomb', 1);
    const files = dockerFiles(sample).map((file) =>
      file.name.endsWith('layer.tar') ? { ...file, bytes: gzipSync(zeros) } : file,
    );
    expectRefusal(await forms.sendFiles(files), 413, /20 MB/);
  });

  test('A36: a body over the limit is refused by its length, before it is sent', async () => {
    const repository = fresh('long');
    const answer = await withWire(fixture.server.origin, async (wire) => {
      await wire.send(
        requestLines(fixture.server.origin, 'POST', forms.target(repository), {
          Authorization: fixture.registry.authorization!,
          'Content-Type': multipart,
          'Content-Length': String(3 * limit),
          Expect: '100-continue',
        }),
      );
      return wire.answer();
    });
    assert.equal(answer?.status, 413);
  });

  test('A36: and by its count, where it has no length', async () => {
    const repository = fresh('chunked');
    const piece = Buffer.alloc(1_000_000, 'x');
    const answer = await withWire(fixture.server.origin, async (wire) => {
      await wire.send(
        requestLines(fixture.server.origin, 'POST', forms.target(repository), {
          Authorization: fixture.registry.authorization!,
          'Content-Type': multipart,
          'Transfer-Encoding': 'chunked',
        }),
      );
      const chunk = (bytes: Buffer) =>
        wire.write(
          Buffer.concat([
            Buffer.from(`${bytes.length.toString(16)}\r\n`),
            bytes,
            Buffer.from('\r\n'),
          ]),
        );
      await chunk(part('; name="tag"', 'v1').subarray(0, 40));
      for (let at = 0; at < 30 && !wire.closed; at++) await chunk(piece);
      return wire.answer();
    });
    assert.ok(answer && [400, 413].includes(answer.status), String(answer?.status));
    await forms.expectNothing(repository);
  });

  test('A36: what is no gzip, or no zstd, behind its first bytes: 400', async () => {
    const gzip = gzipSync(await tarOf(await good()));
    const zstd = zstdCompressSync(await tarOf(await good()));
    for (const archive of [gzip, zstd]) {
      const broken = Buffer.from(archive);
      broken.fill(0xff, 20, 60);
      assert.equal((await forms.sendArchive(broken)).status, 400);
      assert.equal((await forms.sendArchive(archive.subarray(0, archive.length - 10))).status, 400);
      assert.equal(
        (await forms.sendArchive(Buffer.concat([archive, Buffer.from('more')]))).status,
        400,
      );
    }
  });
});

describe('A40: hostile archives', () => {
  const cases: [string, () => Promise<File[]> | File[], RegExp][] = [
    ['a name with ..', () => [{ name: '../../etc/passwd', bytes: 'x' }], /outside/],
    ['an absolute name', () => [{ name: '/etc/passwd', bytes: 'x' }], /outside/],
    [
      'a link out of it',
      async () => [...(await good()), { name: 'x', type: 'symlink', linkname: '../../etc/passwd' }],
      /outside/,
    ],
    [
      'an absolute link for index.json',
      async () => [
        ...(await good()).filter(({ name }) => name !== 'index.json'),
        { name: 'index.json', type: 'symlink', linkname: '/etc/passwd' },
      ],
      /outside/,
    ],
    [
      'links in a circle',
      async () => [
        ...(await good()).filter(({ name }) => name !== 'index.json'),
        { name: 'index.json', type: 'symlink', linkname: 'other' },
        { name: 'other', type: 'link', linkname: 'index.json' },
      ],
      /leads nowhere/,
    ],
    ['a device', () => [{ name: 'x', type: 'block-device', devmajor: 8 }], /block-device/],
    ['a fifo', () => [{ name: 'x', type: 'fifo' }], /fifo/],
    [
      'a sparse file',
      () => [{ name: 'x', bytes: 'x', pax: { 'GNU.sparse.realsize': '1000000000000' } } as File],
      /sparse/,
    ],
    [
      'two index.json',
      async () => [...(await good()), { name: './index.json', bytes: '{}' }],
      /more than once/,
    ],
    [
      'an index.json of 5 MB',
      () => layout({ 'index.json': Buffer.alloc(5_000_000, ' ') }),
      /allowed/,
    ],
    [
      'an index.json that nests',
      () => layout({ 'index.json': '['.repeat(100_000) }),
      /nests|not valid/,
    ],
    ['an index.json that is no JSON', () => layout({ 'index.json': '{' }), /JSON/],
    [
      'another layout version',
      () => layout({ 'oci-layout': '{"imageLayoutVersion":"9"}' }),
      /1\.0\.0/,
    ],
    [
      'an index of nothing',
      () => layout({ 'index.json': '{"schemaVersion":2,"manifests":[]}' }),
      /no image/,
    ],
    ['neither layout nor docker save', () => [{ name: 'etc/passwd', bytes: 'x' }], /docker export/],
    [
      'a manifest.json that is none',
      () => [{ name: 'manifest.json', bytes: '[{"Config":1}]' }],
      /Config/,
    ],
    ['nothing', () => [], /docker export/],
  ];
  const layout = async (own: Record<string, string | Buffer>): Promise<File[]> =>
    (await good()).map((file) =>
      own[file.name] ? { name: file.name, bytes: own[file.name]! } : file,
    );
  for (const [what, files, text] of cases)
    test(`A40: ${what}: 400`, async () =>
      expectRefusal(await forms.sendFiles(await files()), 400, text));

  test('A40: bytes that are not what they are named by: 400, naming them', async () => {
    for (const at of [1, 2, 3]) {
      const files = await good();
      const wrong = Buffer.from(files[at]!.bytes as Buffer);
      wrong[wrong.length - 1]! ^= 1;
      files[at] = { ...files[at]!, bytes: wrong };
      expectRefusal(await forms.sendFiles(files), 400, /digest/);
    }
    const sample = await sampleImage('swapped');
    const [one, two] = sample.layers;
    const swapped = dockerFiles({ ...sample, layers: [two!, one!] });
    expectRefusal(await forms.sendFiles(swapped), 400, /layer\.tar" hashes to/);
  });

  test('A40: what is missing: 400, naming it', async () => {
    const files = await good();
    const absent = files[2]!;
    const rest = files.filter((file) => file !== absent);
    const hex = sha256(absent.bytes as Buffer);
    expectRefusal(await forms.sendFiles(rest), 400, new RegExp(`does not have: sha256:${hex}`));
    const docker = dockerFiles(await sampleImage('no layer'));
    const layers = docker.filter(({ name }) => !name.endsWith('layer.tar'));
    expectRefusal(await forms.sendFiles(layers), 400, /layer\.tar/);
  });

  test('A40: a million entries, and headers without end: 400 in seconds', async () => {
    const header = (await tarOf([{ name: 'x' }])).subarray(0, 512);
    const started = performance.now();
    // 200,000 of them are over the limit already, and in the plan's 20 MB compressed only.
    const many = Buffer.alloc(512 * 39_000);
    for (let at = 0; at < many.length; at += 512) header.copy(many, at);
    assert.equal((await forms.sendArchive(gzipSync(many))).status, 400);
    const pax = await tarOf([{ name: 'x', pax: { comment: 'y'.repeat(1_000_000) } } as File]);
    expectRefusal(await forms.sendArchive(pax), 400, /extended headers are too long/);
    const records = Object.fromEntries(Array.from({ length: 200 }, (_, at) => [`k${at}`, 'v']));
    expectRefusal(
      await forms.sendFiles([{ name: 'x', pax: records } as File]),
      400,
      /extended attributes/,
    );
    assert.ok(performance.now() - started < 10_000);
  });

  test('A40: no tar at all, and half of one: 400', async () => {
    expectRefusal(await forms.sendArchive(Buffer.alloc(100_000, 'no tar')), 400, /no tar archive/);
    const archive = await tarOf(await good());
    expectRefusal(await forms.sendArchive(archive.subarray(0, 5_000)), 400, /ends too early/);
    assert.equal((await forms.sendArchive(Buffer.alloc(0))).status, 400);
  });
});
