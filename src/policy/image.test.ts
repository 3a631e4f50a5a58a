import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { plansWith } from '../config/plans.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { digestOf } from '../oci/digest.ts';
import type { ErrorKind } from '../oci/errors.ts';
import { parseManifest } from '../oci/manifest.ts';
import { dockerConfig, emptyJson, ociConfig, ociIndex, ociManifest } from '../oci/media-types.ts';
import type { ProjectSettings } from '../ports/projects.ts';
import { checkImage, needsConfig } from './image.ts';
import { gzipHint } from './layer-media-types.ts';
import { layerLimit, layerTooLarge } from './layer-size.ts';

const tar = 'application/vnd.oci.image.layer.v1.tar';
const gzip = `${tar}+gzip`;
const zstd = `${tar}+zstd`;
const docker = 'application/vnd.docker.image.rootfs.diff.tar';
const foreign = 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip';
const linux = '{"os":"linux","architecture":"amd64"}';
const plan = plansWith().hobby;

type Case = {
  name: string;
  layers?: (string | Partial<Descriptor>)[];
  config?: string;
  configType?: string;
  manifest?: object;
  settings?: ProjectSettings;
};

let made = 0;
function descriptor(mediaType: string, size = 10): Descriptor {
  return { mediaType, digest: digestOf(Buffer.from(`blob ${made++}`)), size };
}

function check({ layers = [zstd], config = linux, ...more }: Case) {
  const manifest = {
    schemaVersion: 2,
    config: descriptor(more.configType ?? ociConfig, config.length),
    layers: layers.map((layer) =>
      typeof layer === 'string' ? descriptor(layer) : { ...descriptor(zstd), ...layer },
    ),
    ...more.manifest,
  };
  const parsed = parseManifest(Buffer.from(JSON.stringify(manifest)), ociManifest);
  return checkImage({
    manifest: parsed,
    config: needsConfig(parsed, plan) ? Buffer.from(config) : undefined,
    plan,
    settings: more.settings ?? {},
  });
}

describe('images that pass', () => {
  const cases: Case[] = [
    { name: 'zstd' },
    { name: 'plain tar', layers: [tar] },
    { name: 'docker types', layers: [docker, `${docker}.zstd`], configType: dockerConfig },
    { name: 'no layers', layers: [] },
    { name: 'foreign layers of any size', layers: [zstd, { mediaType: foreign, size: 2e12 }] },
    { name: 'a layer at the limit', layers: [{ size: 500e6 }] },
    {
      name: 'an image at the limit',
      layers: Array(30)
        .fill({ size: 500e6 })
        .with(0, { size: 500e6 - 37 }),
    },
    {
      name: 'one large layer many times',
      layers: Array(40).fill({ size: 500e6, digest: digestOf(Buffer.from('x')) }),
    },
    {
      name: 'accepted by the project',
      settings: { platforms: ['linux/arm64', 'linux/amd64'], layerCompressions: ['zstd'] },
    },
  ];
  for (const one of cases) {
    test(one.name, () => assert.deepEqual(check(one), { allow: true, platform: 'linux/amd64' }));
  }

  test('gzip, with a hint', () => {
    for (const layer of [gzip, `${docker}.gzip`]) {
      const decision = check({ name: '', layers: [zstd, layer] });
      assert.deepEqual(decision, { allow: true, platform: 'linux/amd64', warnings: [gzipHint] });
    }
  });

  test('gzip without a hint, where the project takes no zstd', () => {
    const settings: ProjectSettings = { layerCompressions: ['gzip'] };
    assert.deepEqual(check({ name: '', layers: [gzip], settings }), {
      allow: true,
      platform: 'linux/amd64',
    });
  });

  test('the hint fits in a Warning header', () => {
    assert.match(gzipHint, /^[\x20-\x7e]{1,300}$/);
    assert.doesNotMatch(gzipHint, /["\\]/);
    assert.match(gzipHint, /compression=zstd,compression-level=3,force-compression=true/);
  });
});

describe('what is no image passes, whatever the project accepts', () => {
  const settings: ProjectSettings = { platforms: ['linux/arm64'], layerCompressions: ['zstd'] };
  const unknown = '{"os":"unknown","architecture":"unknown","config":{}}';
  const cases: Case[] = [
    {
      name: 'an artifact',
      configType: emptyJson,
      config: '{}',
      layers: ['text/plain'],
      manifest: { artifactType: 'application/x' },
    },
    {
      name: 'an artifact with an image config',
      config: '{}',
      layers: [gzip],
      manifest: { artifactType: 'application/x' },
    },
    {
      name: 'a helm chart',
      configType: 'application/vnd.cncf.helm.config.v1+json',
      config: '{}',
      layers: ['application/vnd.cncf.helm.chart.content.v1.tar+gzip'],
    },
    {
      name: 'an attestation of BuildKit',
      config: unknown,
      layers: ['application/vnd.in-toto+json'],
    },
    {
      name: 'a signature of cosign',
      config: '{"os":"","architecture":""}',
      layers: ['application/vnd.dev.cosign.simplesigning.v1+json'],
    },
    { name: 'an empty config without layers', config: '{}', layers: [] },
  ];
  for (const one of cases) {
    test(one.name, () => assert.deepEqual(check({ ...one, settings }), { allow: true }));
  }

  test('an index, nested, with unknown platforms', () => {
    const platform = { os: 'unknown', architecture: 'unknown' };
    const manifests = [descriptor(ociIndex), { ...descriptor(ociManifest), platform }];
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, manifests }));
    const manifest = parseManifest(bytes, ociIndex);
    assert.equal(needsConfig(manifest, plan), false);
    assert.deepEqual(checkImage({ manifest, config: undefined, plan, settings }), { allow: true });
  });
});

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
      kind: 'size-invalid',
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

  test('a config of another size than the manifest says', () => {
    const bytes = Buffer.from(
      JSON.stringify({ schemaVersion: 2, config: descriptor(ociConfig, 5), layers: [] }),
    );
    const manifest = parseManifest(bytes, ociManifest);
    for (const config of [Buffer.from(linux), undefined]) {
      const decision = checkImage({ manifest, config, plan, settings: {} });
      assert.ok(!decision.allow);
      assert.match(decision.error.message, /another size/);
    }
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
