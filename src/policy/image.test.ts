import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { digestOf } from '../oci/digest.ts';
import { parseManifest } from '../oci/manifest.ts';
import { dockerConfig, emptyJson, ociIndex, ociManifest } from '../oci/media-types.ts';
import type { ProjectSettings } from '../ports/projects.ts';
import { checkImage, needsConfig } from './image.ts';
import {
  type Case,
  check,
  descriptor,
  docker,
  foreign,
  gzip,
  plan,
  tar,
  zstd,
} from './image-test-kit.ts';
import { gzipHint } from './layer-media-types.ts';

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
