/** Deletions beside a run of the collection, and who still wants what is deleted, in every order of their steps. */
import assert from 'node:assert/strict';
import { digestOf } from '../../../src/oci/digest.ts';
import type { BarrierWorld } from './barrier-world.ts';
import {
  type BarrierCase,
  collection,
  fromOne,
  head,
  loose,
  mount,
  pushesAgain,
} from './requests-and-collection.ts';

/** An image whose leases are over long since, and another one that shares its layer with it. */
async function images(world: BarrierWorld) {
  const layer = world.bytes('layer');
  const [config, other] = [world.config(), world.config()];
  for (const bytes of [layer, config, other]) await world.store('one', bytes);
  const [first, second] = [world.image(config, layer), world.image(other, layer)];
  for (const [tag, text] of Object.entries({ first, second })) {
    assert.equal((await world.put('', 'one', tag, text)).status, 201);
  }
  world.leasesEnd();
  return { layer, first, second, digestOfFirst: digestOf(Buffer.from(first)) };
}

function deletion(
  name: string,
  command: string,
  path: (made: Awaited<ReturnType<typeof images>>) => string,
  status: number,
  stays: readonly string[],
): BarrierCase {
  return {
    ...{ name, gates: [command, ...collection] },
    async make(world) {
      const made = await images(world);
      const reads: Record<string, string> = { first: made.digestOfFirst, second: 'second' };
      return {
        actors: {
          request: async () => {
            const answer = await world.ask('request', 'DELETE', path(made));
            assert.equal(answer.status, status, String(answer.bytes));
          },
          collection: () => world.collect(),
        },
        async verify() {
          await world.collect();
          for (const image of stays) await world.pulls('one', reads[image]!);
          await world.holdsTogether();
        },
      };
    },
  };
}

export const deletions: readonly BarrierCase[] = [
  deletion(
    'DELETE of a manifest',
    'DeleteManifest',
    ({ digestOfFirst }) => `one/manifests/${digestOfFirst}`,
    202,
    ['second'],
  ),
  deletion('DELETE of a tag', 'DeleteTag', () => 'one/manifests/first', 202, ['first', 'second']),
  deletion(
    'DELETE of a blob that is named',
    'UnlinkBlob',
    ({ layer }) => `one/blobs/${digestOf(layer)}`,
    405,
    ['first', 'second'],
  ),
  {
    name: 'DELETE of a blob that nothing names',
    gates: ['UnlinkBlob', ...collection],
    async make(world) {
      const { digest, layer, manifest } = await loose(world);
      let status = 0;
      return {
        actors: {
          request: async () => {
            ({ status } = await world.ask('request', 'DELETE', `one/blobs/${digest}`));
          },
          collection: () => world.collect(),
        },
        async verify() {
          assert.ok(status === 202 || status === 404, String(status));
          await pushesAgain(world, 'one', layer, manifest);
          await world.holdsTogether();
        },
      };
    },
  },
];

/** An image is deleted and collected while someone else still wants it, or its layer. */
function deletedMeanwhile(
  name: string,
  gates: readonly string[],
  request: (
    world: BarrierWorld,
    made: { layer: Buffer; manifest: string; reference: string },
  ) => Promise<void>,
): BarrierCase {
  return {
    ...{ name, gates: [...gates, 'DeleteManifest', ...collection] },
    async make(world) {
      const [layer, config] = [world.bytes('layer'), world.config()];
      for (const bytes of [layer, config]) await world.store('one', bytes);
      const manifest = world.image(config, layer);
      assert.equal((await world.put('', 'one', 'gone', manifest)).status, 201);
      world.leasesEnd();
      const reference = digestOf(Buffer.from(manifest));
      return {
        actors: {
          request: () => request(world, { layer, manifest, reference }),
          deletion: async () => {
            const answer = await world.ask('deletion', 'DELETE', `one/manifests/${reference}`);
            assert.equal(answer.status, 202, String(answer.bytes));
            await world.stage.as('deletion', () => world.collect());
          },
        },
        verify: () => world.holdsTogether(),
      };
    },
  };
}

export const deletedImages: readonly BarrierCase[] = [
  deletedMeanwhile(
    'GET of a blob whose image is deleted',
    ['blobs.resolve', 'store.open'],
    async (world, { layer }) => {
      const answer = await world.ask('request', 'GET', `one/blobs/${digestOf(layer)}`);
      if (answer.status === 200) assert.ok(answer.bytes.equals(layer));
      else assert.equal(answer.status, 404, `${answer.status} ${answer.bytes}`);
    },
  ),
  deletedMeanwhile(
    'a push of what is deleted',
    ['RenewLease', 'PutManifest'],
    async (world, { layer, manifest }) => {
      const config = Buffer.from(world.config());
      await world.store('one', config);
      const wanted = world.image(config, layer);
      const held = await head('one')(world, digestOf(layer));
      if (held.status !== 200) await world.upload('one', layer);
      const put = await world.put('request', 'one', 'again', wanted);
      assert.equal(put.status, 201, `${held.status}, then ${put.status} ${put.bytes}`);
      assert.notEqual(manifest, wanted);
    },
  ),
  deletedMeanwhile(
    'a mount of what is deleted',
    ['LinkBlob', 'PutManifest'],
    async (world, { layer }) => {
      const config = world.config();
      await world.store('two', config);
      const mounted = await mount(fromOne)(world, digestOf(layer));
      if (mounted.status !== 201) await world.upload('two', layer);
      const put = await world.put('request', 'two', 'mounted', world.image(config, layer));
      assert.equal(put.status, 201, `${mounted.status}, then ${put.status} ${put.bytes}`);
    },
  ),
];

/** Bytes stay for as long as a backup may take after the database no longer names them. */
export const delayed: BarrierCase = {
  name: 'the delay before bytes go',
  gates: [],
  async make(world) {
    await loose(world);
    return {
      actors: {
        collection: async () => {
          world.delayMs = 3_600_000;
          await world.collect();
          assert.equal((await world.app.world.files()).length, 2, 'the layer stays for its delay');
          world.app.world.pass(3_600_000);
          await world.collect();
          assert.equal((await world.app.world.files()).length, 1);
          world.delayMs = 0;
        },
      },
      verify: () => world.holdsTogether(),
    };
  },
};
