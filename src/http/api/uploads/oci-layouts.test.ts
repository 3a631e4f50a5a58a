import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import type { Digest } from '../../../oci/digest.ts';
import {
  describe as described,
  imageLayout,
  layoutFiles,
  manifestOf,
  oci,
  sampleImage,
  sha256,
  tarOf,
} from '../../../registry/archives/archive-test-kit.ts';
import { Uploads } from './uploads-test-kit.ts';

let uploads: Uploads;
before(async (t) => {
  uploads = await Uploads.open(t as never);
});

describe('an OCI layout', () => {
  test('goes in byte for byte, under the tags that are given', async () => {
    const sample = await sampleImage('one');
    const up = await uploads.upload(imageLayout(sample), [
      ['tag', 'a'],
      ['tag', 'b'],
    ]);
    const { manifest } = manifestOf(sample);
    assert.deepEqual(up.tags, ['a', 'b']);
    assert.equal(up.digest, `sha256:${sha256(manifest)}`);
    assert.deepEqual((await uploads.pull(up.repository, 'manifests', 'b')).bytes, manifest);
    await uploads.expectSample(up, sample, 'a');
  });

  test('without a tag gets the one that the layout names', async () => {
    const up = await uploads.upload(
      imageLayout(await sampleImage('named'), 'docker.io/library/web:v3'),
    );
    assert.deepEqual(up.tags, ['v3']);
  });

  test('with an index, an attestation and a referrer: all of them, untagged but for the top', async () => {
    const [amd, arm] = [await sampleImage('amd'), await sampleImage('arm')].map((one) =>
      manifestOf(one),
    );
    const statement = Buffer.from('{"predicate":{}}');
    const attestation = manifestOf(
      { config: Buffer.from('{}'), layers: [] },
      {
        layers: [described('application/vnd.in-toto+json', statement)],
      },
    );
    const type = `${oci}.manifest.v1+json`;
    const index = Buffer.from(
      JSON.stringify({
        ...{ schemaVersion: 2, mediaType: `${oci}.index.v1+json` },
        manifests: [
          described(type, amd!.manifest, { platform: { os: 'linux', architecture: 'amd64' } }),
          described(type, arm!.manifest, { platform: { os: 'linux', architecture: 'arm64' } }),
          described(type, attestation.manifest, {
            platform: { os: 'unknown', architecture: 'unknown' },
          }),
        ],
      }),
    );
    const top = described(`${oci}.index.v1+json`, index);
    const signature = manifestOf(
      { config: Buffer.from('{}'), layers: [] },
      {
        artifactType: 'application/x.signature',
        subject: { mediaType: top.mediaType, digest: top.digest, size: top.size },
      },
    );
    const blobs = [
      ...[amd!, arm!, attestation, signature].flatMap((one) => [...one.blobs, one.manifest]),
      ...[statement, index],
    ];
    const unique = [...new Map(blobs.map((blob) => [sha256(blob), blob])).values()];
    const up = await uploads.upload(
      layoutFiles(unique, [top, described(type, signature.manifest)]),
      [['tag', 'multi']],
    );
    assert.equal(up.digest, top.digest);
    assert.equal(up.manifests.length, 5);
    assert.deepEqual((await uploads.pull(up.repository, 'manifests', 'multi')).bytes, index);
    assert.deepEqual(
      (
        await uploads.pull(
          up.repository,
          'manifests',
          arm!.manifest && `sha256:${sha256(arm!.manifest)}`,
        )
      ).bytes,
      arm!.manifest,
    );
    const referrers = await uploads.app.fetch(`/v2/${up.repository}/referrers/${top.digest}`, {
      headers: { authorization: uploads.basic },
    });
    const { manifests } = (await referrers.json()) as { manifests: { digest: string }[] };
    assert.deepEqual(
      manifests.map(({ digest }) => digest),
      [`sha256:${sha256(signature.manifest)}`],
    );
  });

  test('whose index names platforms that it lacks: the one that is there', async () => {
    const here = manifestOf(await sampleImage('here'));
    const there = manifestOf(await sampleImage('there'));
    const type = `${oci}.manifest.v1+json`;
    const platform = (architecture: string) => ({ platform: { os: 'linux', architecture } });
    const index = Buffer.from(
      JSON.stringify({
        ...{ schemaVersion: 2, mediaType: `${oci}.index.v1+json` },
        manifests: [
          described(type, there.manifest, platform('arm64')),
          described(type, here.manifest, platform('amd64')),
        ],
      }),
    );
    const top = described(`${oci}.index.v1+json`, index);
    const up = await uploads.upload(layoutFiles([...here.blobs, here.manifest, index], [top]), [
      ['tag', 'v1'],
    ]);
    assert.equal(up.digest, `sha256:${sha256(here.manifest)}`);
    assert.match(up.warnings.join(), /holds one of them: only linux\/amd64 was stored/);
  });

  test('with files that nothing names: they are left out, and that is said', async () => {
    const sample = await sampleImage('extra');
    const extra = Buffer.from('nobody knows me');
    const up = await uploads.upload([
      ...imageLayout(sample),
      { name: `blobs/sha256/${sha256(extra)}`, bytes: extra },
    ]);
    assert.match(up.warnings.join(), /1 files of the archive belong to no manifest/);
    const { metadata } = uploads.app.world;
    const [, , repository] = up.repository.split('/');
    const found = await metadata.repositories.find({
      team: 'acme',
      project: 'shop',
      repository: repository!,
    });
    assert.equal(
      await metadata.blobs.find(found!.id, `sha256:${sha256(extra)}` as Digest),
      undefined,
    );
  });

  test('of two images: which one is asked, and taken by its name', async () => {
    const both = [await sampleImage('left'), await sampleImage('right')];
    const [left, right] = both.map((one, at) => {
      const { manifest, blobs } = manifestOf(one);
      const annotations = { 'org.opencontainers.image.ref.name': `n${at}` };
      return {
        blobs: [...blobs, manifest],
        top: described(`${oci}.manifest.v1+json`, manifest, { annotations }),
      };
    });
    const files = layoutFiles([...left!.blobs, ...right!.blobs], [left!.top, right!.top]);
    const refusal = await uploads.refusedUpload(await tarOf(files));
    assert.equal(refusal.status, 400);
    assert.match(`${refusal.message} ${refusal.hint}`, /holds 2 images.*field "name".*"n0", "n1"/);
    const up = await uploads.upload(files, [['name', 'n1']]);
    assert.equal(up.digest, right!.top.digest);
    assert.equal((await uploads.refusedUpload(await tarOf(files), [['name', 'n2']])).status, 400);
  });
});
