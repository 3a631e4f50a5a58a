import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import {
  describe as described,
  dockerFiles,
  layoutFiles,
  oci,
  sampleImage,
  sha256,
} from '../../../registry/archives/archive-test-kit.ts';
import { Uploads } from './uploads-test-kit.ts';

let uploads: Uploads;
before(async (t) => {
  uploads = await Uploads.open(t as never);
});

describe('an archive of docker save', () => {
  test('keeps the config as it is; layers are compressed, the same way each time', async () => {
    const sample = await sampleImage('docker');
    const up = await uploads.upload(dockerFiles(sample));
    assert.deepEqual(up.tags, ['v1']);
    assert.ok(up.layers.every(({ mediaType }) => mediaType === `${oci}.layer.v1.tar+gzip`));
    assert.match(up.warnings.join(), /compression=zstd/);
    await uploads.expectSample(up, sample, 'v1');
    const again = await uploads.upload(dockerFiles(sample), [['tag', 'again']]);
    assert.equal(again.digest, up.digest);
  });

  for (const compression of ['zstd', 'none'])
    test(`with compression ${compression}`, async () => {
      const sample = await sampleImage(`with ${compression}`);
      const up = await uploads.upload(dockerFiles(sample), [['compression', compression]]);
      const suffix = compression === 'none' ? '' : `+${compression}`;
      assert.ok(up.layers.every(({ mediaType }) => mediaType === `${oci}.layer.v1.tar${suffix}`));
      await uploads.expectSample(up, sample, 'v1');
    });

  test('whose layers come compressed: as they came', async () => {
    const sample = await sampleImage('packed layers');
    const packed = sample.layers.map((layer) => gzipSync(layer, { level: 1 }));
    const files = dockerFiles(sample).map((file) => {
      const at = sample.layers.indexOf(file.bytes as Buffer);
      return at < 0 ? file : { ...file, bytes: packed[at]! };
    });
    const up = await uploads.upload(files);
    assert.deepEqual(
      up.layers.map(({ digest }) => digest),
      packed.map((bytes) => `sha256:${sha256(bytes)}`),
    );
    await uploads.expectSample(up, sample, 'v1');
  });

  test('with a layer that links to another, as docker saves what two layers share', async () => {
    const sample = await sampleImage('linked', 1);
    const twice = { ...sample, layers: [sample.layers[0]!, sample.layers[0]!] };
    const config = JSON.parse(sample.config.toString());
    config.rootfs.diff_ids = [config.rootfs.diff_ids[0], config.rootfs.diff_ids[0]];
    const bytes = Buffer.from(JSON.stringify(config));
    const list = [{ Config: 'c.json', RepoTags: null, Layers: ['a/layer.tar', 'b/layer.tar'] }];
    const up = await uploads.upload(
      [
        { name: 'a/layer.tar', bytes: sample.layers[0]! },
        { name: 'b/layer.tar', type: 'symlink', linkname: '../a/layer.tar' },
        { name: 'c.json', bytes },
        { name: 'manifest.json', bytes: JSON.stringify(list) },
      ],
      [['tag', 'v1']],
    );
    await uploads.expectSample(up, { ...twice, config: bytes }, 'v1');
  });

  test('of docker 25 and later, whose made-up layout has plain layers: as docker push would', async () => {
    const sample = await sampleImage('docker 25');
    const manifest = Buffer.from(
      JSON.stringify({
        ...{ schemaVersion: 2, mediaType: `${oci}.manifest.v1+json` },
        config: described(`${oci}.config.v1+json`, sample.config),
        layers: sample.layers.map((layer) => described(`${oci}.layer.v1.tar`, layer)),
      }),
    );
    const annotations = { 'io.containerd.image.name': 'docker.io/shop/web:v9' };
    const top = described(`${oci}.manifest.v1+json`, manifest, { annotations });
    const list = [
      {
        Config: `blobs/sha256/${sha256(sample.config)}`,
        RepoTags: ['shop/web:v9'],
        Layers: sample.layers.map((layer) => `blobs/sha256/${sha256(layer)}`),
      },
    ];
    const files = [
      ...layoutFiles([sample.config, ...sample.layers, manifest], [top]),
      { name: 'manifest.json', bytes: JSON.stringify(list) },
    ];
    const up = await uploads.upload(files);
    assert.deepEqual(up.tags, ['v9']);
    assert.ok(up.layers.every(({ mediaType }) => mediaType.endsWith('+gzip')));
    await uploads.expectSample(up, sample, 'v9');
    const asItIs = await uploads.upload(files, [['compression', 'none']]);
    assert.equal(asItIs.digest, top.digest);
  });
});
