import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Bundle } from './bundles.ts';
import { expectHeader, expectStatus } from './check.ts';
import { type Content, type Descriptor, fresh } from './content.ts';
import { useServer } from './fixture.ts';
import { kinds } from './kinds.ts';
import { expectCreated, type PushMethod, pushBlob, putManifest } from './push.ts';

const fixture = useServer();
const methods: PushMethod[] = ['post', 'post-put', 'chunks', 'stream'];

async function push(repository: string, bundle: Bundle, tag: string | undefined): Promise<void> {
  const { registry } = fixture;
  for (const [at, blob] of bundle.blobs.entries()) {
    const method = methods[at % methods.length]!;
    await expectCreated(registry, await pushBlob(registry, repository, blob, method), blob);
  }
  for (const item of bundle.manifests) {
    const subject = subjectOf(item);
    const answers = [await putManifest(registry, repository, item.digest, item)];
    if (tag !== undefined && item === bundle.manifests.at(-1))
      answers.push(await putManifest(registry, repository, tag, item));
    for (const answer of answers) {
      await expectCreated(registry, answer, item);
      if (subject) expectHeader(answer, 'oci-subject', subject);
    }
  }
}

function subjectOf(item: Content): string | undefined {
  return (JSON.parse(item.bytes.toString()) as { subject?: { digest: string } }).subject?.digest;
}

async function pull(repository: string, bundle: Bundle, tag: string | undefined): Promise<void> {
  const { registry } = fixture;
  const top = bundle.manifests.at(-1)!;
  const targets: [string, Content, string | undefined][] = [
    ...bundle.blobs.map((blob): [string, Content, undefined] => [
      `blobs/${blob.digest}`,
      blob,
      undefined,
    ]),
    ...bundle.manifests.map((item): [string, Content, string] => [
      `manifests/${item.digest}`,
      item,
      item.descriptor.mediaType,
    ]),
  ];
  if (tag !== undefined) targets.push([`manifests/${tag}`, top, top.descriptor.mediaType]);
  for (const [path, item, mediaType] of targets) {
    for (const method of ['HEAD', 'GET'] as const) {
      const answer = expectStatus(await registry.ask(method, `/v2/${repository}/${path}`), 200);
      expectHeader(answer, 'docker-content-digest', item.digest);
      expectHeader(answer, 'content-length', String(item.bytes.length));
      if (mediaType) expectHeader(answer, 'content-type', mediaType);
      if (method === 'GET')
        assert.ok(answer.body.equals(item.bytes), `${answer.what}: other bytes`);
    }
  }
}

async function findReferrers(repository: string, bundle: Bundle): Promise<void> {
  for (const [subject, wanted] of bundle.referrers) {
    const all = await referrersOf(repository, subject);
    for (const descriptor of wanted) assert.deepEqual(pick(all, descriptor), descriptor);
    for (const artifactType of new Set(wanted.map((item) => item.artifactType))) {
      if (artifactType === undefined) continue;
      const some = await referrersOf(repository, subject, artifactType);
      for (const item of some) assert.equal(item.artifactType, artifactType);
      for (const item of wanted)
        if (item.artifactType === artifactType) assert.deepEqual(pick(some, item), item);
    }
  }
}

function pick(list: readonly Descriptor[], wanted: Descriptor): Descriptor | undefined {
  return list.find(({ digest }) => digest === wanted.digest);
}

async function referrersOf(
  repository: string,
  subject: string,
  artifactType?: string,
): Promise<Descriptor[]> {
  const answer = await fixture.registry.get(`/v2/${repository}/referrers/${subject}`, {
    query: artifactType === undefined ? {} : { artifactType },
  });
  expectStatus(answer, 200);
  expectHeader(answer, 'content-type', 'application/vnd.oci.image.index.v1+json');
  if (artifactType !== undefined) expectHeader(answer, 'oci-filters-applied', 'artifactType');
  return (answer.json() as { manifests: Descriptor[] }).manifests;
}

async function remove(repository: string, bundle: Bundle, tag: string | undefined): Promise<void> {
  const { registry } = fixture;
  const paths = [
    ...(tag === undefined ? [] : [`manifests/${tag}`]),
    ...bundle.manifests.map(({ digest }) => `manifests/${digest}`).reverse(),
    ...new Set(bundle.blobs.map(({ digest }) => `blobs/${digest}`)),
  ];
  for (const path of paths) {
    const target = `/v2/${repository}/${path}`;
    expectStatus(await registry.delete(target), 202);
    expectStatus(await registry.head(target), 404);
    expectStatus(await registry.get(target), 404);
  }
}

for (const kind of kinds) {
  describe(`Push, Pull, Content Discovery, Content Management: ${kind.name}`, () => {
    const bundle = kind.make();
    const tag = kind.byDigestOnly ? undefined : fresh('kind');
    const repository = () => {
      const { teamSlug, projectSlug } = fixture.server.bootstrap;
      return `${teamSlug}/${projectSlug}/kinds`;
    };

    test('Pushing blobs, Pushing Manifests: each part is created where it can be pulled', () =>
      push(repository(), bundle, tag));

    if (tag !== undefined)
      test('Listing Tags: the tag is in the list', async () => {
        const answer = await fixture.registry.get(`/v2/${repository()}/tags/list`);
        const { tags } = expectStatus(answer, 200).json() as { tags: string[] };
        assert.ok(tags.includes(tag), `${tag} in ${tags}`);
      });

    test('Pulling manifests, Pulling blobs: GET and HEAD give what was pushed', () =>
      pull(repository(), bundle, tag));

    if (bundle.referrers.size > 0)
      test('Listing Referrers: the subjects name them', () => findReferrers(repository(), bundle));

    test('Deleting tags, manifests and blobs: each is gone at once', () =>
      remove(repository(), bundle, tag));
  });
}
