import type { Random } from './random.ts';

const digest = `sha256:${'e'.repeat(64)}`;
const values: readonly unknown[] = [
  null,
  true,
  '',
  0,
  -1,
  1.5,
  2 ** 53,
  1e308,
  '2',
  'x'.repeat(5_000),
  '\u0000',
  '\ud800',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.layer.v1.tar+gzip',
  'application/vnd.oci.image.config.v1+json',
  digest,
  `${digest}0`,
  'sha256:../../etc/passwd',
  'md5:00',
  [],
  {},
  [[]],
  [null],
  { digest },
  { mediaType: 'a/b', digest, size: 1 },
  { mediaType: 'a/b', digest, size: -1 },
  ['https://example.com'],
];
const keys = [
  'schemaVersion',
  'mediaType',
  'artifactType',
  'config',
  'layers',
  'manifests',
  'subject',
  'annotations',
  'digest',
  'size',
  'urls',
  'data',
  'platform',
  'os',
  '__proto__',
  'constructor',
  'toString',
  '',
  'fsLayers',
];

/** The document with one to four changes to its tree, then in a third of the cases to its bytes. */
export function mutateJson(random: Random, document: string): Buffer {
  const tree: unknown = JSON.parse(document);
  for (let times = random.below(4); times > 0; times--) changeTree(random, tree);
  const text = JSON.stringify(tree, null, random.pick([undefined, 1, '\t']));
  if (text.length > 3_000_000) return Buffer.from(document);
  return random.chance(1 / 3) ? changeBytes(random, Buffer.from(text)) : Buffer.from(text);
}

function changeTree(random: Random, tree: unknown): void {
  let node = tree;
  for (;;) {
    if (typeof node !== 'object' || node === null) return;
    const holder = node as Record<string, unknown>;
    const names = Object.keys(holder);
    const name = names.length > 0 ? random.pick(names) : random.pick(keys);
    // Of its own: an empty object still has a constructor.
    const child = Object.hasOwn(holder, name) ? holder[name] : undefined;
    if (typeof child === 'object' && child !== null && random.chance(0.6)) {
      node = child;
      continue;
    }
    changeMember(random, holder, name, child);
    return;
  }
}

function changeMember(
  random: Random,
  holder: Record<string, unknown>,
  name: string,
  child: unknown,
): void {
  // Not an assignment: __proto__ must become a member.
  const set = (key: string, value: unknown) =>
    Object.defineProperty(holder, key, {
      value: structuredClone(value),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  switch (random.below(6)) {
    case 0:
      if (Array.isArray(holder)) holder.splice(Number(name), 1);
      else delete holder[name];
      return;
    case 1:
      set(Array.isArray(holder) ? '0' : random.pick(keys), child);
      return;
    case 2:
      set(Array.isArray(holder) ? '0' : random.pick(keys), random.pick(values));
      return;
    case 3: {
      const depth = 1 + random.below(120);
      let nested: unknown = child;
      for (let level = 0; level < depth; level++)
        nested = random.chance(0.5) ? [nested] : { nested };
      set(name, nested);
      return;
    }
    case 4:
      if (Array.isArray(child)) {
        const list: unknown[] = child;
        for (let times = random.below(200); times > 0; times--)
          list.push(structuredClone(list[0] ?? null));
      } else set(name, [child]);
      return;
    default:
      set(name, random.pick(values));
  }
}

function changeBytes(random: Random, bytes: Buffer): Buffer {
  const at = random.below(bytes.length + 1);
  switch (random.below(5)) {
    case 0:
      return bytes.subarray(0, at);
    case 1:
      return Buffer.concat([
        bytes.subarray(0, at),
        Buffer.from([random.below(256)]),
        bytes.subarray(at),
      ]);
    case 2:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random.below(9))]);
    case 3:
      return Buffer.concat([
        bytes,
        Buffer.from(random.pick(['\n', ' ', '}', '{}', '\u0000', ',', '\ufeff'])),
      ]);
    default: {
      const flipped = Buffer.from(bytes);
      if (at < flipped.length) flipped[at] = (flipped[at] ?? 0) ^ (1 << random.below(8));
      return flipped;
    }
  }
}
