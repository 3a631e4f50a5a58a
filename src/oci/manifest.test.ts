import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { digestOf } from './digest.ts';
import { RegistryError } from './errors.ts';
import { maxDescriptors, parseManifest, requiredBlobs, requiredManifests } from './manifest.ts';
import {
  dockerManifest,
  dockerManifestList,
  emptyJson,
  ociConfig,
  ociIndex,
  ociManifest,
} from './media-types.ts';

const gzipLayer = 'application/vnd.oci.image.layer.v1.tar+gzip';

function descriptor(mediaType: string, content: string, more: object = {}) {
  return { mediaType, digest: digestOf(Buffer.from(content)), size: content.length, ...more };
}

const image = {
  schemaVersion: 2,
  mediaType: ociManifest,
  config: descriptor(ociConfig, 'config'),
  layers: [descriptor(gzipLayer, 'one'), descriptor(gzipLayer, 'two')],
};
const index = {
  schemaVersion: 2,
  mediaType: ociIndex,
  manifests: [
    descriptor(ociManifest, 'child', { platform: { os: 'linux', architecture: 'amd64' } }),
  ],
};

function parse(document: unknown, contentType?: string) {
  const bytes = Buffer.from(typeof document === 'string' ? document : JSON.stringify(document));
  return parseManifest(bytes, contentType);
}

function refusal(document: unknown, contentType?: string): RegistryError {
  try {
    parse(document, contentType);
  } catch (error) {
    assert.ok(error instanceof RegistryError, String(error));
    assert.ok(error.info.hint, 'a refusal says what to do');
    return error;
  }
  assert.fail('not refused');
}

describe('what is accepted', () => {
  test('an image', () => {
    const parsed = parse({ ...image, annotations: { a: 'b' } }, ociManifest);
    assert.equal(parsed.kind, 'manifest');
    assert.equal(parsed.mediaType, ociManifest);
    assert.equal(parsed.artifactType, ociConfig);
    assert.equal(parsed.isImage, true);
    assert.deepEqual(parsed.config, image.config);
    assert.deepEqual(parsed.layers, image.layers);
    assert.deepEqual(parsed.manifests, []);
    assert.deepEqual(parsed.annotations, { a: 'b' });
    assert.equal(parsed.subject, undefined);
  });

  test('an index, nested or empty, with its own artifact type only', () => {
    const parsed = parse(index, ociIndex);
    assert.equal(parsed.kind, 'index');
    assert.equal(parsed.artifactType, undefined);
    assert.equal(parsed.config, undefined);
    assert.deepEqual(parsed.manifests, index.manifests);
    assert.equal(parsed.isImage, false);
    const typed = { ...index, artifactType: 'application/x', manifests: [] };
    assert.equal(parse(typed, ociIndex).artifactType, 'application/x');
    const nested = { ...index, manifests: [descriptor(ociIndex, 'inner')] };
    assert.equal(parse(nested, ociIndex).manifests[0]?.mediaType, ociIndex);
  });

  test('an artifact is no image, also where its config is', () => {
    const empty = descriptor(emptyJson, '{}', { data: 'e30=' });
    const artifact = {
      ...image,
      artifactType: 'application/x',
      config: empty,
      layers: [empty],
      subject: descriptor(ociManifest, 'subject'),
    };
    const parsed = parse(artifact);
    assert.equal(parsed.artifactType, 'application/x');
    assert.equal(parsed.isImage, false);
    assert.equal(parsed.subject?.digest, artifact.subject.digest);
    assert.equal(parse({ ...image, artifactType: 'application/x' }).isImage, false);
    assert.equal(parse({ ...image, artifactType: '' }).isImage, true);
  });

  for (const mediaType of [dockerManifest, ociManifest]) {
    test(`${mediaType} by the header alone, with parameters and in capitals`, () => {
      const { mediaType: _, ...unnamed } = image;
      assert.equal(
        parse(unnamed, `${mediaType.toUpperCase()}; charset=utf-8`).mediaType,
        mediaType,
      );
    });
    test(`${mediaType} by its field alone`, () => {
      assert.equal(parse({ ...image, mediaType }).mediaType, mediaType);
    });
  }

  test('a manifest list of docker', () => {
    assert.equal(parse({ ...index, mediaType: dockerManifestList }).kind, 'index');
  });

  test('fields of no specification, repeated fields, null for absent', () => {
    const text = JSON.stringify({ ...image, 'org.example': [1, { a: null }], subject: null });
    const repeated = text.replace('{', '{"schemaVersion":7,');
    assert.equal(parse(repeated).kind, 'manifest');
    assert.deepEqual(parse({ ...image, layers: null, annotations: null }).layers, []);
  });

  test('brackets in strings are no depth', () => {
    const annotations = { a: `${'['.repeat(500)}"\\${'{'.repeat(500)}` };
    assert.deepEqual(parse({ ...image, annotations }).annotations, annotations);
  });

  test('the most descriptors that are allowed', () => {
    const layers = Array.from({ length: maxDescriptors - 1 }, () => image.layers[0]);
    assert.equal(parse({ ...image, layers }).layers.length, maxDescriptors - 1);
  });
});

describe('what is refused as unsupported', () => {
  const schema1 = 'application/vnd.docker.distribution.manifest.v1+prettyjws';
  const cases: [string, unknown, string | undefined, RegExp][] = [
    ['no media type at all', { ...image, mediaType: undefined }, undefined, /no media type/],
    ['another content type', image, 'application/json', /"application\/json" is not one/],
    ['another field', { ...image, mediaType: 'text/html' }, undefined, /"text\/html" is not one/],
    ['schema 1 by header', '{}', schema1, /schema 1/],
    ['schema 1 by field', { schemaVersion: 1, fsLayers: [] }, undefined, /schema 1/],
    ['schema 1 in disguise', { ...image, fsLayers: [] }, ociManifest, /schema 1/],
  ];
  for (const [name, document, contentType, message] of cases) {
    test(name, () => {
      const error = refusal(document, contentType);
      assert.equal(error.kind, 'unsupported-media-type');
      assert.match(error.message, message);
    });
  }
});

describe('what is refused as invalid', () => {
  const layer = image.layers[0];
  const withLayer = (more: object) => ({ ...image, layers: [{ ...layer, ...more }] });
  const cases: [string, unknown, RegExp][] = [
    [
      'A10 a mediaType that differs from the Content-Type',
      { ...image, mediaType: ociIndex },
      /both/,
    ],
    [
      'A11 layers and manifests',
      { ...image, manifests: [] },
      /must not have the field "manifests"/,
    ],
    ['nothing', '', /not valid JSON/],
    ['no JSON', '{"schemaVersion":2', /not valid JSON/],
    ['an unended string', '{"schemaVersion', /not valid JSON/],
    ['a byte order mark', `\uFEFF${JSON.stringify(image)}`, /not valid JSON/],
    ['a list', '[]', /must be a JSON object/],
    ['null', 'null', /must be a JSON object/],
    ['no schemaVersion', { ...image, schemaVersion: undefined }, /schemaVersion must be 2/],
    ['schemaVersion as text', { ...image, schemaVersion: '2' }, /schemaVersion must be 2/],
    ['no config', { ...image, config: undefined }, /config must be a descriptor object/],
    ['no layers', { ...image, layers: undefined }, /layers must be a list/],
    ['layers as an object', { ...image, layers: {} }, /layers must be a list/],
    ['a layer as text', { ...image, layers: ['sha256:'] }, /layers\[0\] must be a descriptor/],
    ['a layer without media type', withLayer({ mediaType: undefined }), /layers\[0\].mediaType/],
    ['a media type as number', withLayer({ mediaType: 1 }), /layers\[0\].mediaType/],
    ['A8 a path as digest', withLayer({ digest: 'sha256:../' }), /layers\[0\].digest/],
    ['A8 a short digest', withLayer({ digest: 'sha256:abc' }), /layers\[0\].digest/],
    ['A8 md5', withLayer({ digest: `md5:${'a'.repeat(32)}` }), /layers\[0\].digest/],
    [
      'a digest in capitals',
      withLayer({ digest: `sha256:${'A'.repeat(64)}` }),
      /layers\[0\].digest/,
    ],
    ['no digest', withLayer({ digest: undefined }), /layers\[0\].digest/],
    ['a negative size', withLayer({ size: -1 }), /layers\[0\].size/],
    ['a broken size', withLayer({ size: 1.5 }), /layers\[0\].size/],
    ['a size over 2^53', withLayer({ size: 2 ** 53 }), /layers\[0\].size/],
    ['a size as text', withLayer({ size: '3' }), /layers\[0\].size/],
    [
      'two sizes of one blob',
      { ...image, layers: [layer, { ...layer, size: 9 }] },
      /must be the same/,
    ],
    ['urls that are no list', withLayer({ urls: 'https://x' }), /urls must be a list/],
    ['urls of numbers', withLayer({ urls: [1] }), /urls must be a list/],
    ['data that is no text', withLayer({ data: 1 }), /data must be a base64 string/],
    ['data that is no base64', withLayer({ data: 'b25l*' }), /data must be base64/],
    ['data of another length', withLayer({ data: 'b25lIQ==' }), /data must be 3 bytes/],
    ['data of another digest', withLayer({ data: 'dHdv' }), /content that its digest names/],
    ['annotations as a list', { ...image, annotations: [] }, /annotations must be an object/],
    ['an annotation as number', { ...image, annotations: { a: 1 } }, /annotations\["a"\]/],
    [
      'annotations of a layer',
      withLayer({ annotations: { a: {} } }),
      /layers\[0\].annotations\["a"\]/,
    ],
    ['an artifactType as list', { ...image, artifactType: ['x'] }, /artifactType must be a string/],
    ['a subject as text', { ...image, subject: 'sha256:' }, /subject must be a descriptor/],
  ];
  for (const [name, document, message] of cases) {
    test(name, () => {
      const error = refusal(document, ociManifest);
      assert.equal(error.kind, 'manifest-invalid');
      assert.match(error.message, message);
    });
  }

  const indexCases: [string, unknown, RegExp][] = [
    ['A11 an index with layers', { ...index, layers: [] }, /must not have the field "layers"/],
    ['A11 an index with a config', { ...index, config: image.config }, /"config"/],
    ['no manifests', { ...index, manifests: undefined }, /manifests must be a list/],
    [
      'a platform as text',
      { ...index, manifests: [{ ...index.manifests[0], platform: 'linux/amd64' }] },
      /manifests\[0\].platform must be an object/,
    ],
    [
      'an architecture as number',
      { ...index, manifests: [{ ...index.manifests[0], platform: { architecture: 64 } }] },
      /manifests\[0\].platform.architecture must be a string/,
    ],
  ];
  for (const [name, document, message] of indexCases) {
    test(`index: ${name}`, () => assert.match(refusal(document, ociIndex).message, message));
  }

  test('bytes that are not UTF-8', () => {
    const bytes = Buffer.from(JSON.stringify({ ...image, annotations: { a: 'é' } }), 'latin1');
    assert.throws(() => parseManifest(bytes, ociManifest), /not valid UTF-8/);
  });

  test('A12 too many descriptors', () => {
    const layers = Array.from({ length: 100_000 }, () => layer);
    assert.match(refusal({ ...image, layers }).message, /100001 descriptors; at most 10000/);
    const manifests = Array.from({ length: maxDescriptors }, () => index.manifests[0]);
    const subject = image.config;
    assert.match(refusal({ ...index, manifests, subject }).message, /10001 descriptors/);
  });

  test('A12 deep nesting never reaches the parser', () => {
    for (const [open, close] of [
      ['[', ']'],
      ['{"a":', '}'],
    ] as const) {
      const depth = 300_000;
      const deep = `${open.repeat(depth)}1${close.repeat(depth)}`;
      const text = `{"schemaVersion":2,"x":${deep}}`;
      assert.match(refusal(text, ociManifest).message, /deeper than 64/);
    }
    const text = `{"x":${'['.repeat(63)}${']'.repeat(63)},${JSON.stringify(image).slice(1)}`;
    assert.equal(parse(text, ociManifest).kind, 'manifest');
  });

  test('text of strangers is shown short and without control characters', () => {
    const error = refusal({ ...image, mediaType: `a\n\u001b[31m${'x'.repeat(5000)}` }, ociManifest);
    assert.ok(error.message.length < 400);
    assert.doesNotMatch(error.message, /\p{Cc}/u);
  });
});

describe('what must be there', () => {
  test('config and layers, each once, without those that may live elsewhere', () => {
    const foreign = 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip';
    const layers = [
      ...image.layers,
      image.layers[0],
      descriptor(foreign, 'foreign'),
      descriptor(gzipLayer, 'elsewhere', { urls: ['https://example.com/x'] }),
      descriptor(gzipLayer, 'here', { urls: [] }),
    ];
    const digests = requiredBlobs(parse({ ...image, layers })).map(({ digest }) => digest);
    const contents = ['config', 'one', 'two', 'here'];
    assert.deepEqual(
      digests,
      contents.map((content) => digestOf(Buffer.from(content))),
    );
    assert.deepEqual(requiredManifests(parse(image)), []);
  });

  test('children of an index, each once, not its subject', () => {
    const manifests = [index.manifests[0], index.manifests[0], descriptor(ociIndex, 'other')];
    const parsed = parse({ ...index, manifests, subject: image.config });
    assert.deepEqual(requiredManifests(parsed), [index.manifests[0], manifests[2]]);
    assert.deepEqual(requiredBlobs(parsed), []);
  });
});
