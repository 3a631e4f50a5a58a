import assert from 'node:assert/strict';
import test from 'node:test';
import * as types from './media-types.ts';

test('every manifest type is of a kind, and nothing else is', () => {
  assert.deepEqual(
    types.manifestMediaTypes.map((type) => types.manifestKindOf(type)),
    ['manifest', 'manifest', 'index', 'index'],
  );
  for (const type of ['', 'application/json', types.ociConfig, 'toString', '__proto__'])
    assert.equal(types.manifestKindOf(type), undefined, type);
});

test('how layers are compressed, and what is no layer', () => {
  const cases: [string, types.LayerCompression | undefined][] = [
    ['application/vnd.oci.image.layer.v1.tar', 'none'],
    ['application/vnd.oci.image.layer.v1.tar+gzip', 'gzip'],
    ['application/vnd.oci.image.layer.v1.tar+zstd', 'zstd'],
    ['application/vnd.docker.image.rootfs.diff.tar', 'none'],
    ['application/vnd.docker.image.rootfs.diff.tar.gzip', 'gzip'],
    ['application/vnd.docker.image.rootfs.diff.tar.zstd', 'zstd'],
    ['application/vnd.oci.image.layer.v1.tar+bzip2', undefined],
    ['application/vnd.oci.image.layer.nondistributable.v1.tar', undefined],
    [types.emptyJson, undefined],
  ];
  for (const [type, expected] of cases)
    assert.equal(types.layerCompressionOf(type), expected, type);
});

test('layers that may live elsewhere', () => {
  assert.ok(types.isNonDistributable('application/vnd.docker.image.rootfs.foreign.diff.tar.gzip'));
  assert.ok(
    types.isNonDistributable('application/vnd.oci.image.layer.nondistributable.v1.tar+zstd'),
  );
  assert.ok(!types.isNonDistributable('application/vnd.oci.image.layer.v1.tar'));
});

test('configs of images', () => {
  assert.ok(types.isImageConfig(types.ociConfig) && types.isImageConfig(types.dockerConfig));
  assert.ok(!types.isImageConfig(types.emptyJson));
});

test('a media type without its parameters', () => {
  const cases: [string, string][] = [
    ['application/json', 'application/json'],
    ['Application/JSON; charset=utf-8', 'application/json'],
    [' application/json ;q=1;x', 'application/json'],
    [';', ''],
    ['', ''],
  ];
  for (const [header, expected] of cases) assert.equal(types.withoutParameters(header), expected);
});
