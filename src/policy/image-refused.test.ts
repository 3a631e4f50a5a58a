import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { plansWith } from '../config/plans.ts';
import type { ErrorKind } from '../oci/errors.ts';
import { parseManifest } from '../oci/manifest.ts';
import { ociConfig, ociManifest } from '../oci/media-types.ts';
import { checkImage } from './image.ts';
import { type Case, check, descriptor, gzip, linux, plan, tar, zstd } from './image-test-kit.ts';
import { layerLimit, layerTooLarge } from './layer-size.ts';

describe('what is refused', () => {
  const cases: (Case & { kind: ErrorKind; message: RegExp; hint: RegExp })[] = [
    {
      name: 'a layer over the limit',
      layers: [{ size: 500e6 + 1 }],
      kind: 'layer-too-large',
      message: /has 500.1 MB, more than the 500 MB that plan hobby allows/,
      hint: /docker history/,
    },
    {
      name: 'an image over the limit',
      layers: Array(30).fill({ size: 500e6 }),
      kind: 'image-too-large',
      message: /has 15.1 GB .* more than the 15 GB that plan hobby allows/,
      hint: /multi-stage/,
    },
    {
      name: 'a large artifact',
      layers: Array(31).fill({ size: 500e6, mediaType: 'text/plain' }),
      kind: 'image-too-large',
      message: /plan hobby/,
      hint: /./,
    },
    {
      name: 'a config over the limit',
      config: `{"os":"linux","architecture":"amd64","x":"${'x'.repeat(1e6)}"}`,
      kind: 'config-too-large',
      message: /1.1 MB, more than the 1 MB/,
      hint: /docker inspect/,
    },
    {
      name: 'a layer of another kind',
      layers: [zstd, `${tar}+lz4`],
      kind: 'unsupported',
      message:
        /Layer 2 .* "application\/vnd.oci.image.layer.v1.tar\+lz4"; images may have layers of tar\+zstd, tar\+gzip or tar\./,
      hint: /docker buildx build .*compression=zstd,compression-level=3,force-compression=true/,
    },
    {
      name: 'an encrypted layer',
      layers: [`${gzip}+encrypted`],
      kind: 'unsupported',
      message: /Layer 1/,
      hint: /buildx/,
    },
    {
      name: 'another file among layers',
      layers: [zstd, 'text/plain'],
      kind: 'unsupported',
      message: /"text\/plain"/,
      hint: /buildx/,
    },
    {
      name: 'gzip, where the project takes only zstd',
      layers: [gzip],
      settings: { layerCompressions: ['zstd'] },
      kind: 'unsupported',
      message: /this project accepts only layers of tar\+zstd\./,
      hint: /compression=zstd/,
    },
    {
      name: 'zstd, where the project takes only gzip',
      settings: { layerCompressions: ['gzip'] },
      kind: 'unsupported',
      message: /only layers of tar\+gzip\./,
      hint: /compression=gzip,force/,
    },
    {
      name: 'all, where the project takes nothing',
      settings: { layerCompressions: [] },
      kind: 'unsupported',
      message: /only layers of no kind/,
      hint: /administrator/,
    },
    {
      name: 'no platform',
      config: '{"rootfs":{}}',
      kind: 'manifest-invalid',
      message: /does not name its os and architecture/,
      hint: /docker build --platform linux\/amd64 .* docker inspect --format/,
    },
    {
      name: 'no architecture',
      config: '{"os":"linux","architecture":""}',
      kind: 'manifest-invalid',
      message: /does not name its architecture;/,
      hint: /docker build --platform linux\/amd64/,
    },
    {
      name: 'an os that is no name',
      config: '{"os":"li\\nnux","architecture":"amd64"}',
      kind: 'manifest-invalid',
      message: /does not name its os;/,
      hint: /./,
    },
    {
      name: 'another platform than the project takes',
      config: '{"os":"linux","architecture":"amd64","variant":"v1"}',
      settings: { platforms: ['linux/arm64'] },
      kind: 'manifest-invalid',
      message: /is for "linux\/amd64"; this project accepts only linux\/arm64\./,
      hint: /docker build --platform linux\/arm64/,
    },
    {
      name: 'a config that is no JSON',
      config: 'os: linux',
      kind: 'manifest-invalid',
      message: /config is not valid JSON/,
      hint: /docker build/,
    },
    {
      name: 'a config that is no object',
      config: '["linux"]',
      kind: 'manifest-invalid',
      message: /config is not a JSON object/,
      hint: /docker build/,
    },
    {
      name: 'a deep config',
      config: `{"os":"linux","architecture":"amd64","x":${'['.repeat(100_000)}${']'.repeat(100_000)}}`,
      kind: 'manifest-invalid',
      message: /nests deeper/,
      hint: /docker build/,
    },
  ];
  for (const one of cases) {
    test(one.name, () => {
      const decision = check(one);
      assert.ok(!decision.allow);
      assert.equal(decision.error.kind, one.kind);
      assert.match(decision.error.message, one.message);
      assert.match(decision.error.hint ?? '', one.hint);
      assert.equal(decision.platform, undefined);
    });
  }

  const manifest = parseManifest(
    Buffer.from(JSON.stringify({ schemaVersion: 2, config: descriptor(ociConfig, 5), layers: [] })),
    ociManifest,
  );

  test('a config of another size than the manifest says', () => {
    const decision = checkImage({ manifest, config: Buffer.from(linux), plan, settings: {} });
    assert.ok(!decision.allow);
    assert.equal(decision.error.kind, 'manifest-invalid');
    assert.match(decision.error.message, /has 5 bytes, and it has 37/);
  });

  test('A13 a config that is not there', () => {
    const decision = checkImage({ manifest, config: undefined, plan, settings: {} });
    assert.ok(!decision.allow);
    assert.equal(decision.error.kind, 'manifest-blob-unknown');
    assert.deepEqual(decision.error.detail, { digests: [manifest.config?.digest] });
  });
});

describe('a layer while it streams', () => {
  test('the limit is the plan', () => {
    assert.equal(layerLimit(plan), 500e6);
    assert.equal(layerLimit(plansWith({ layerLimit: 5 })['self-hosted']), 5);
  });

  test('the refusal names limit, plan and what to do, with or without the size', () => {
    const known = layerTooLarge(plan, 600e6);
    assert.match(known.message, /has 600 MB, more than the 500 MB that plan hobby allows/);
    assert.deepEqual(known.detail, { limit: 500e6, plan: 'hobby', size: 600e6 });
    const running = layerTooLarge(plan);
    assert.match(running.message, /is larger than the 500 MB that plan hobby allows/);
    assert.deepEqual(running.detail, { limit: 500e6, plan: 'hobby' });
    assert.match(running.hint ?? '', /docker history/);
  });
});
