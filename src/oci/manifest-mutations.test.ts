import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from './digest.ts';
import { RegistryError } from './errors.ts';
import { parseManifest, requiredBlobs, requiredManifests } from './manifest.ts';
import { ociConfig, ociIndex, ociManifest } from './media-types.ts';

const named = { mediaType: ociConfig, digest: digestOf(Buffer.from('x')), size: 1, data: 'eA==' };
const documents = [
  {
    schemaVersion: 2,
    mediaType: ociManifest,
    config: named,
    layers: [named, { ...named, urls: ['https://example.com'], annotations: { a: 'b' } }],
    subject: named,
    annotations: { a: 'é"\\[' },
  },
  {
    schemaVersion: 2,
    mediaType: ociIndex,
    manifests: [{ ...named, platform: { os: 'linux', architecture: 'amd64' } }],
  },
];
const values = [
  'null',
  '[]',
  '{}',
  '""',
  '0',
  '-1',
  '1e999',
  '[[[',
  '}',
  ',',
  '\u0000',
  '"\\ud800"',
];

/** A Lehmer generator: the same rounds on every run. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 48271) % 2147483647;
    return state % below;
  };
}

test('whatever the bytes are, they are read or refused as the registry refuses', () => {
  const next = generator(20260101);
  let read = 0;
  for (let round = 0; round < 5_000; round++) {
    const bytes = [...Buffer.from(JSON.stringify(documents[next(documents.length)]))];
    for (let change = 0; change <= next(3); change++) {
      const at = next(bytes.length);
      const kind = next(4);
      if (kind === 0) bytes[at] = next(256);
      else if (kind === 1) bytes.splice(at, 1 + next(40));
      else if (kind === 2) bytes.splice(at, next(20), ...Buffer.from(values[next(values.length)]!));
      else bytes.splice(at, 0, ...bytes.slice(next(bytes.length), at));
      if (bytes.length === 0) bytes.push(0x20);
    }
    try {
      const manifest = parseManifest(Buffer.from(bytes), undefined);
      requiredBlobs(manifest);
      requiredManifests(manifest);
      read++;
    } catch (error) {
      assert.ok(error instanceof RegistryError, `${String(error)} of ${Buffer.from(bytes)}`);
      assert.doesNotMatch(error.message, /\p{C}/u);
    }
  }
  assert.ok(read > 100 && read < 4_000, `${read} were read`);
});
