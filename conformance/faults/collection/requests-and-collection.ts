/** Each request beside a run of the collection, in every order of their steps. */
import assert from 'node:assert/strict';
import { digestOf } from '../../../src/oci/digest.ts';
import { blobLeaseMs } from '../../../src/ports/commands-collection.ts';
import type { Answer, BarrierWorld } from './barrier-world.ts';
import type { Trial } from './stage.ts';

export interface BarrierCase {
  readonly name: string;
  /** Calls before which an actor stops. */
  readonly gates: readonly string[];
  make(world: BarrierWorld): Promise<Trial>;
}

/** A look at links, the transaction that takes them, the same of blobs (which leaves tombstones), the bytes' end. */
export const collection = [
  'collection.links',
  'CollectLinks',
  'collection.blobs',
  'CollectBlobs',
  'store.delete',
];

/** A layer that nothing names and whose lease is over, and a config that was just pushed. */
export async function loose(world: BarrierWorld, repository = 'one') {
  const layer = world.bytes('layer');
  await world.store('one', layer);
  if (repository !== 'one') await world.store(repository, layer);
  world.leasesEnd();
  const config = world.config();
  await world.store(repository, config);
  return { layer, config, digest: digestOf(layer), manifest: world.image(config, layer) };
}

/** Of a lease: what a slow client may take from the promise to the manifest. */
const slowMs = 0.9 * blobLeaseMs;

/** What a client does after it was told that the layer is there: it pushes the manifest, which must come through. */
async function trusts(world: BarrierWorld, repository: string, manifest: string): Promise<void> {
  world.app.world.pass(slowMs);
  await world.collect();
  const put = await world.put('', repository, 'trusted', manifest);
  assert.equal(put.status, 201, `was told that all is there, and then: ${put.bytes}`);
  await world.pulls(repository, 'trusted');
}

/** What a client does that was told that the layer is not there. */
export async function pushesAgain(
  world: BarrierWorld,
  repository: string,
  layer: Buffer,
  manifest: string,
): Promise<void> {
  await world.upload(repository, layer);
  await trusts(world, repository, manifest);
}

/** Of a PUT of a manifest: it is there, or the client is told what it has to push. */
function madeOrUnknown({ status, bytes }: Answer): boolean {
  if (status === 201) return true;
  assert.match(bytes.toString(), /MANIFEST_BLOB_UNKNOWN/, `${status} ${bytes}`);
  assert.equal(status, 404);
  return false;
}

/** A request that is acknowledged with `fine` or not, beside the collection; then the client goes on. */
function claim(options: {
  name: string;
  gates: readonly string[];
  repository: string;
  fine: number;
  refused: number;
  /** Whether the repository of the request links the layer at first. */
  linked?: boolean;
  ask(world: BarrierWorld, made: Awaited<ReturnType<typeof loose>>): Promise<() => Promise<Answer>>;
}): BarrierCase {
  const { name, gates, repository, fine, refused } = options;
  return {
    ...{ name, gates: [...gates, ...collection] },
    async make(world) {
      const made = await loose(world, options.linked === false ? 'one' : repository);
      if (options.linked === false) await world.store(repository, made.config);
      const ask = await options.ask(world, made);
      let answer: Answer | undefined;
      return {
        actors: {
          request: async () => {
            answer = await ask();
          },
          collection: () => world.collect(),
        },
        async verify() {
          const { status, bytes } = answer!;
          assert.ok(status === fine || status === refused, `${status} ${bytes}`);
          if (status === fine) await trusts(world, repository, made.manifest);
          else await pushesAgain(world, repository, made.layer, made.manifest);
          await world.holdsTogether();
        },
      };
    },
  };
}

/** The claim and the PUT of the manifest, one actor: a run may go on between the two. */
function push(options: {
  name: string;
  gates: readonly string[];
  repository: string;
  fine: number;
  ask(world: BarrierWorld, digest: string): Promise<Answer>;
}): BarrierCase {
  const { name, repository, fine } = options;
  return {
    ...{ name, gates: [...options.gates, 'PutManifest', ...collection] },
    async make(world) {
      const { layer, manifest, digest } = await loose(world, repository);
      return {
        actors: {
          request: async () => {
            const { status } = await options.ask(world, digest);
            if (status !== fine) await world.upload(repository, layer);
            const put = await world.put('request', repository, 'pushed', manifest);
            assert.equal(put.status, 201, `${put.status} ${put.bytes}`);
          },
          collection: () => world.collect(),
        },
        async verify() {
          await world.collect();
          await world.pulls(repository, 'pushed');
          await world.holdsTogether();
        },
      };
    },
  };
}

export const head = (repository: string) => (world: BarrierWorld, digest: string) =>
  world.ask('request', 'HEAD', `${repository}/blobs/${digest}`);
export const mount = (from: string) => (world: BarrierWorld, digest: string) =>
  world.ask('request', 'POST', `two/blobs/uploads/?mount=${digest}${from}`);
export const fromOne = '&from=acme/shop/one';

export const claims: readonly BarrierCase[] = [
  claim({
    ...{ name: 'HEAD', gates: ['blobs.resolve', 'RenewLease', 'blobs.find'] },
    ...{ repository: 'one', fine: 200, refused: 404 },
    ask:
      async (world, { digest }) =>
      () =>
        head('one')(world, digest),
  }),
  claim({
    ...{ name: 'a mount', gates: ['blobs.find', 'LinkBlob'] },
    ...{ repository: 'two', linked: false, fine: 201, refused: 202 },
    ask:
      async (world, { digest }) =>
      () =>
        mount(fromOne)(world, digest),
  }),
  claim({
    ...{ name: 'a mount of what is linked already', gates: ['blobs.find', 'LinkBlob'] },
    ...{ repository: 'two', fine: 201, refused: 202 },
    ask:
      async (world, { digest }) =>
      () =>
        mount(fromOne)(world, digest),
  }),
  claim({
    ...{ name: 'a mount from anywhere', gates: ['blobs.findReadable', 'LinkBlob'] },
    ...{ repository: 'two', linked: false, fine: 201, refused: 202 },
    ask:
      async (world, { digest }) =>
      () =>
        mount('')(world, digest),
  }),
  claim({
    ...{ name: 'the end of an upload', gates: ['FinishUpload'] },
    ...{ repository: 'one', fine: 201, refused: 201 },
    ask: (world, { layer }) => world.beginUpload('request', 'one', layer),
  }),
  claim({
    ...{ name: 'the end of an upload to another repository', gates: ['FinishUpload'] },
    ...{ repository: 'two', linked: false, fine: 201, refused: 201 },
    ask: (world, { layer }) => world.beginUpload('request', 'two', layer),
  }),
];

export const pushes: readonly BarrierCase[] = [
  push({
    ...{ name: 'HEAD, then the manifest', gates: ['RenewLease'], repository: 'one', fine: 200 },
    ask: head('one'),
  }),
  push({
    ...{ name: 'a mount, then the manifest', gates: ['LinkBlob'], repository: 'two', fine: 201 },
    ask: mount(fromOne),
  }),
];

export const manifestPuts: readonly BarrierCase[] = [
  {
    name: 'PUT of a manifest',
    gates: ['blobs.findMany', 'store.open', 'PutManifest', ...collection],
    async make(world) {
      const [layer, config] = [world.bytes('layer'), world.config()];
      for (const bytes of [layer, config]) await world.store('one', bytes);
      world.leasesEnd();
      const manifest = world.image(config, layer);
      let made = false;
      return {
        actors: {
          request: async () => {
            made = madeOrUnknown(await world.put('request', 'one', 'put', manifest));
          },
          collection: () => world.collect(),
        },
        async verify() {
          if (made) await world.pulls('one', 'put');
          else {
            await world.upload('one', config);
            await pushesAgain(world, 'one', layer, manifest);
          }
          await world.holdsTogether();
        },
      };
    },
  },
];
