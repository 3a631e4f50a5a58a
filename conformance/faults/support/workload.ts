import assert from 'node:assert/strict';
import { type Content, content, digestOf, mediaTypes } from '../../spec/content.ts';
import type { Asker } from './asking.ts';
import type { Random } from './random.ts';
import { someBytes } from './random.ts';
import type { Change, Register } from './register.ts';
import { expectBlob, leaveUnfinished, pushBlob, uploadsOf } from './uploads.ts';
import type { KnownManifest, KnownRepository, World } from './world.ts';

/** Manifests of one repository beyond which more is deleted than pushed. */
const enough = 10;
const largestBlob = 3 << 20;

const pushing = { image: 5, index: 2, retag: 3, blob: 2, unfinished: 2, pull: 3 } as const;
const deleting = { deleteTag: 1, deleteManifest: 1 } as const;
const work = { ...pushing, ...deleting } as const;
const clearing = { ...pushing, image: 2, deleteTag: 2, deleteManifest: 8 } as const;

/** One thing that a client does, chosen at random. */
export async function doSomething(asker: Asker, world: World, random: Random): Promise<void> {
  const repository = random.pick(world.repositories)!;
  const weights = repository.held().length > enough ? clearing : work;
  switch (random.weighted(weights)) {
    case 'image':
      return pushImage(asker, world, repository, random);
    case 'index':
      return pushIndex(asker, world, repository, random);
    case 'retag':
      return retag(asker, world, repository, random);
    case 'blob':
      return pushBlob(asker, world, repository, newBlob(random), random);
    case 'unfinished':
      return leaveUnfinished(asker, world, repository, newBlob(random), random);
    case 'pull':
      return pull(asker, world, repository, random);
    case 'deleteTag':
      return deleteTag(asker, world, repository, random);
    case 'deleteManifest':
      return deleteManifest(asker, repository, random);
  }
}

function newBlob(random: Random): Content {
  return content(someBytes(random, random.size(16, largestBlob)), mediaTypes.bytes);
}

async function pushImage(
  asker: Asker,
  world: World,
  repository: KnownRepository,
  random: Random,
): Promise<void> {
  const layers: { digest: string; size: number }[] = [];
  for (let count = random.whole(1, 4); count > 0; count--) {
    const held = random.pick([...repository.blobs]);
    if (held && random.chance(0.25)) layers.push({ digest: held[0], size: held[1] });
    else if (random.chance(0.3)) layers.push(...(await mountOne(asker, world, repository, random)));
    else {
      const layer = newBlob(random);
      await pushBlob(asker, world, repository, layer, random);
      layers.push({ digest: layer.digest, size: layer.bytes.length });
    }
  }
  const config = content(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      created: `${random.next()}`,
      rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => digest) },
    }),
    mediaTypes.config,
  );
  await pushBlob(asker, world, repository, config, random);
  const body = {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: config.descriptor,
    layers: layers.map((layer) => ({ mediaType: mediaTypes.layer, ...layer })),
  };
  const manifest = repository.manifest({
    content: content(JSON.stringify(body), mediaTypes.manifest),
    blobs: [...layers, { digest: config.digest, size: config.bytes.length }],
    children: [],
  });
  // Its blobs are there and stay: nothing may refuse it.
  await put(asker, repository, manifest, somePlace(world, random), [201]);
}

/** Of another repository: no byte is sent. */
async function mountOne(asker: Asker, world: World, repository: KnownRepository, random: Random) {
  const from = random.pick(world.repositories)!;
  const [digest, size] = random.pick([...from.blobs]) ?? [];
  if (digest === undefined || size === undefined || from === repository) return [];
  const target = `${uploadsOf(repository)}?mount=${digest}&from=${from.name}`;
  await asker.expect(201, 'POST', target);
  repository.blobs.set(digest, size);
  world.fresh.push({ repository, digest });
  return [{ digest, size }];
}

async function pushIndex(
  asker: Asker,
  world: World,
  repository: KnownRepository,
  random: Random,
): Promise<void> {
  const held = repository.held();
  const children = [random.pick(held), random.pick(held)].filter((child) => child !== undefined);
  if (children.length === 0) return;
  const body = {
    schemaVersion: 2,
    mediaType: mediaTypes.index,
    manifests: children.map(({ content: { descriptor } }) => descriptor),
    annotations: { 'org.example.run': `${random.next()}` },
  };
  const manifest = repository.manifest({
    content: content(JSON.stringify(body), mediaTypes.index),
    blobs: [],
    children: children.map(({ content: { digest } }) => digest),
  });
  // 404: another client has deleted a child.
  await put(asker, repository, manifest, somePlace(world, random), [201, 404]);
}

async function retag(asker: Asker, world: World, repository: KnownRepository, random: Random) {
  const manifest = random.pick(repository.held());
  if (!manifest) return;
  // 404: another client has deleted the index, and then a child of it.
  const statuses = manifest.children.length > 0 ? [201, 404] : [201];
  await put(asker, repository, manifest, random.pick(world.tagNames), statuses);
}

/** A tag, or undefined: by digest alone. */
function somePlace(world: World, random: Random): string | undefined {
  return random.chance(0.8) ? random.pick(world.tagNames) : undefined;
}

async function put(
  asker: Asker,
  repository: KnownRepository,
  manifest: KnownManifest,
  tag: string | undefined,
  statuses: readonly number[],
): Promise<void> {
  const { digest, bytes, descriptor } = manifest.content;
  const changes: [Register<never>, Change<never>][] = [changeOf(manifest.present, true)];
  if (tag !== undefined) changes.push(changeOf(repository.tag(tag), digest));
  const target = `/v2/${repository.name}/manifests/${tag ?? digest}`;
  const headers = { 'content-type': descriptor.mediaType };
  await asker.change(changes, statuses, 'PUT', target, { headers, body: bytes });
}

async function deleteTag(asker: Asker, world: World, repository: KnownRepository, random: Random) {
  const tag = random.pick(world.tagNames)!;
  const change = changeOf(repository.tag(tag), undefined);
  await asker.change([change], [202, 404], 'DELETE', `/v2/${repository.name}/manifests/${tag}`);
}

async function deleteManifest(asker: Asker, repository: KnownRepository, random: Random) {
  const manifest = random.pick(repository.held());
  if (!manifest) return;
  const target = `/v2/${repository.name}/manifests/${manifest.content.digest}`;
  // 405: an index names it.
  const change = changeOf(manifest.present, undefined);
  await asker.change([change], [202, 404, 405], 'DELETE', target);
}

/** What can be read while others write is whole. */
async function pull(asker: Asker, world: World, repository: KnownRepository, random: Random) {
  const tag = random.pick(world.tagNames)!;
  const got = await asker.expect([200, 404], 'GET', `/v2/${repository.name}/manifests/${tag}`);
  if (got.status === 404) return;
  const known = repository.manifests.get(digestOf(got.body));
  assert.ok(known, `${got.what}: bytes that nobody pushed: ${got.text().slice(0, 300)}`);
  for (const blob of known.blobs) await expectBlob(asker, repository, blob, 'a layer of a tag');
}

function changeOf<V>(
  register: Register<V>,
  value: V | undefined,
): [Register<never>, Change<never>] {
  return [register, register.begin(value)] as unknown as [Register<never>, Change<never>];
}
