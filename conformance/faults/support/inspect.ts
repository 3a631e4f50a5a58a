import assert from 'node:assert/strict';
import { digestOf } from '../../spec/content.ts';
import { type Asker, Gone } from './asking.ts';
import type { Random } from './random.ts';
import { expectBlob } from './uploads.ts';
import type { KnownManifest, KnownRepository, World } from './world.ts';

const atOnce = 8;
/** Of each repository, beside those that its manifests name. */
const olderBlobs = 10;

/**
 * Compares what the server serves after a crash with what its clients were told, and takes it as known
 * from there on. One sentence for each difference.
 */
export async function inspectServed(
  asker: Asker,
  world: World,
  random: Random,
  ended: () => Promise<boolean>,
): Promise<string[]> {
  const problems: string[] = [];
  const note = async (check: () => Promise<void>): Promise<void> => {
    try {
      await check();
    } catch (error) {
      // A server that lives and cuts the connection has bytes that it cannot send.
      if (error instanceof Gone && (await ended())) throw error;
      problems.push((error as Error).message);
    }
  };
  const seen = new Set<string>();
  for (const repository of world.repositories) {
    await note(() => inspectTags(asker, world, repository, problems));
    await each([...repository.manifests.values()], (manifest) =>
      note(() => inspectManifest(asker, repository, manifest, seen)),
    );
    forget(repository);
  }
  const older = world.repositories.flatMap((repository) => {
    const digests = [...repository.blobs.keys()];
    const some = Array.from({ length: olderBlobs }, () => random.pick(digests));
    return some.flatMap((digest) => (digest ? [{ repository, digest }] : []));
  });
  await each([...world.fresh, ...older], ({ repository, digest }) =>
    note(() => inspectBlob(asker, repository, { digest }, seen)),
  );
  world.fresh.length = 0;
  return problems;
}

async function inspectTags(
  asker: Asker,
  world: World,
  repository: KnownRepository,
  problems: string[],
): Promise<void> {
  const listed = await listTags(asker, repository);
  for (const tag of new Set([...world.tagNames, ...listed])) {
    const path = `/v2/${repository.name}/manifests/${tag}`;
    const got = await asker.expect([200, 404], 'GET', path);
    const digest = got.status === 200 ? digestOf(got.body) : undefined;
    if (listed.has(tag) !== (digest !== undefined))
      problems.push(
        `${tag} of ${repository.name} is ${digest ? 'not listed' : 'listed'}: ${got.status}`,
      );
    const allowed = repository.tagMayBe(tag);
    if (!allowed.has(digest))
      problems.push(
        `${tag} of ${repository.name} is ${digest}, may be ${[...allowed].join(' or ')}: ${JSON.stringify(repository.tag(tag).changes)}`,
      );
    repository.tag(tag).settle(digest);
  }
}

async function listTags(asker: Asker, repository: KnownRepository): Promise<Set<string>> {
  const tags = new Set<string>();
  let path: string | undefined = `/v2/${repository.name}/tags/list?n=4`;
  while (path) {
    const page = await asker.expect([200, 404], 'GET', path);
    if (page.status === 404) break;
    for (const tag of (page.json() as { tags: string[] }).tags) tags.add(tag);
    const next: string | undefined = page.nextPage();
    path = next && new URL(next).pathname + new URL(next).search;
  }
  return tags;
}

async function inspectManifest(
  asker: Asker,
  repository: KnownRepository,
  manifest: KnownManifest,
  seen: Set<string>,
): Promise<void> {
  const { content, present, blobs, children } = manifest;
  const path = `/v2/${repository.name}/manifests/${content.digest}`;
  const got = await asker.expect([200, 404], 'GET', path);
  const there = got.status === 200 ? true : undefined;
  const allowed = present.mayBe(there);
  const history = JSON.stringify(present.changes);
  present.settle(there);
  assert.ok(allowed, `${got.what} is ${there ? 'there' : 'gone'}: ${history}`);
  if (!there) return;
  assert.ok(got.body.equals(content.bytes), `${got.what}: other bytes than were pushed`);
  for (const blob of blobs) await inspectBlob(asker, repository, blob, seen);
  for (const child of children) {
    const head = await asker.ask('HEAD', `/v2/${repository.name}/manifests/${child}`);
    assert.equal(head.status, 200, `${got.what}: its child ${child} is gone`);
  }
}

/** Once for each look at all. */
async function inspectBlob(
  asker: Asker,
  repository: KnownRepository,
  blob: { readonly digest: string; readonly size?: number },
  seen: Set<string>,
): Promise<void> {
  const key = `${repository.name}@${blob.digest}`;
  if (seen.has(key)) return;
  seen.add(key);
  await expectBlob(asker, repository, blob, 'acknowledged');
}

/** Manifests that are gone for certain, which no tag has. */
function forget(repository: KnownRepository): void {
  for (const [digest, { present }] of repository.manifests) {
    if (!present.mayBe(true)) repository.manifests.delete(digest);
  }
}

/** Does the work for all items, some at once. */
export async function each<T>(
  items: readonly T[],
  work: (item: T) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length) await work(items[next++]!);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}
