/** Requests beside each other that name, take away or make the same things, in every order of their steps. */
import assert from 'node:assert/strict';
import { digestOf } from '../../../src/oci/digest.ts';
import { type Answer, type BarrierWorld, indexType } from './barrier-world.ts';
import type { BarrierCase } from './requests-and-collection.ts';

const puts = ['blobs.findMany', 'store.open', 'PutManifest'];
const unlinks = ['UnlinkBlob'];

/** A layer and a config in a repository, their leases new. */
async function parts(world: BarrierWorld, repository = 'one') {
  const [layer, config] = [world.bytes('layer'), world.config()];
  for (const bytes of [layer, config]) await world.store(repository, bytes);
  return { layer, config, manifest: world.image(config, layer) };
}

/** Both answers, and which command came last. */
interface Outcome {
  readonly first: Answer;
  readonly second: Answer;
  before(one: string, other: string): boolean;
}

type Ask = () => Promise<Answer>;

function pair(
  name: string,
  gates: readonly string[],
  make: (
    world: BarrierWorld,
  ) => Promise<{ first: Ask; second: Ask; verify(outcome: Outcome): Promise<void> }>,
): BarrierCase {
  return {
    ...{ name, gates },
    async make(world) {
      const { first, second, verify } = await make(world);
      const answers: Answer[] = [];
      return {
        actors: {
          first: async () => {
            answers[0] = await first();
          },
          second: async () => {
            answers[1] = await second();
          },
        },
        async verify(trace) {
          const at = (call: string) => trace.indexOf(call);
          await verify({
            ...{ first: answers[0]!, second: answers[1]! },
            before: (one, other) => at(one) < at(other),
          });
          await world.holdsTogether();
        },
      };
    },
  };
}

const isRefused = ({ status, bytes }: Answer, code: RegExp) => {
  assert.ok(status >= 400 && status < 500, `${status} ${bytes}`);
  assert.match(bytes.toString(), code);
};

export const requestPairs: readonly BarrierCase[] = [
  pair('PUT of two manifests that name the same blobs', puts, async (world) => {
    const { layer, config, manifest } = await parts(world);
    const other = world.image(config, layer, config);
    return {
      first: () => world.put('first', 'one', 'same', manifest),
      second: () => world.put('second', 'one', 'same', other),
      async verify({ first, second }) {
        assert.deepEqual([first.status, second.status], [201, 201]);
        for (const text of [manifest, other]) {
          await world.pulls('one', digestOf(Buffer.from(text)));
        }
        await world.pulls('one', 'same');
      },
    };
  }),
  pair('PUT and DELETE of one manifest', [...puts, 'DeleteManifest'], async (world) => {
    const { manifest } = await parts(world);
    const reference = digestOf(Buffer.from(manifest));
    assert.equal((await world.put('', 'one', 'old', manifest)).status, 201);
    return {
      first: () => world.put('first', 'one', 'new', manifest),
      second: () => world.ask('second', 'DELETE', `one/manifests/${reference}`),
      async verify({ first, second, before }) {
        assert.deepEqual([first.status, second.status], [201, 202]);
        if (before('second:DeleteManifest', 'first:PutManifest')) await world.pulls('one', 'new');
        else {
          const gone = await world.ask('', 'GET', `one/manifests/${reference}`);
          assert.equal(gone.status, 404);
        }
      },
    };
  }),
  pair('PUT of a tag and its DELETE', [...puts, 'DeleteTag'], async (world) => {
    const { config, manifest } = await parts(world);
    assert.equal((await world.put('', 'one', 'tag', manifest)).status, 201);
    const next = world.image(config);
    return {
      first: () => world.put('first', 'one', 'tag', next),
      second: () => world.ask('second', 'DELETE', 'one/manifests/tag'),
      async verify({ first, second, before }) {
        assert.deepEqual([first.status, second.status], [201, 202]);
        if (before('second:DeleteTag', 'first:PutManifest')) await world.pulls('one', 'tag');
        await world.pulls('one', digestOf(Buffer.from(next)));
        await world.pulls('one', digestOf(Buffer.from(manifest)));
      },
    };
  }),
  pair(
    'DELETE of a blob and PUT of a manifest that names it',
    [...puts, ...unlinks],
    async (world) => {
      const { layer, manifest } = await parts(world);
      return {
        first: () => world.put('first', 'one', 'named', manifest),
        second: () => world.ask('second', 'DELETE', `one/blobs/${digestOf(layer)}`),
        async verify({ first, second }) {
          if (first.status === 201) {
            isRefused(second, /DENIED|UNSUPPORTED|IN_USE/);
            await world.pulls('one', 'named');
          } else {
            isRefused(first, /MANIFEST_BLOB_UNKNOWN/);
            assert.equal(second.status, 202);
          }
        },
      };
    },
  ),
  pair(
    'DELETE of a blob and its mount elsewhere',
    ['blobs.find', 'LinkBlob', ...unlinks],
    async (world) => {
      const { layer } = await parts(world);
      const config = world.config();
      await world.store('two', config);
      const digest = digestOf(layer);
      return {
        first: () =>
          world.ask('first', 'POST', `two/blobs/uploads/?mount=${digest}&from=acme/shop/one`),
        second: () => world.ask('second', 'DELETE', `one/blobs/${digest}`),
        async verify({ first, second }) {
          assert.equal(second.status, 202);
          if (first.status !== 201) {
            assert.equal(first.status, 202);
            await world.upload('two', layer);
          }
          await world.collect();
          const put = await world.put('', 'two', 'mounted', world.image(config, layer));
          assert.equal(put.status, 201, String(put.bytes));
          await world.pulls('two', 'mounted');
        },
      };
    },
  ),
  pair(
    'DELETE of a blob and the end of its upload',
    ['FinishUpload', ...unlinks],
    async (world) => {
      const { layer, manifest } = await parts(world);
      return {
        first: await world.beginUpload('first', 'one', layer),
        second: () => world.ask('second', 'DELETE', `one/blobs/${digestOf(layer)}`),
        async verify({ first, second, before }) {
          assert.deepEqual([first.status, second.status], [201, 202]);
          if (before('first:FinishUpload', 'second:UnlinkBlob')) return;
          assert.equal((await world.put('', 'one', 'kept', manifest)).status, 201);
          await world.pulls('one', 'kept');
        },
      };
    },
  ),
  pair('two uploads of one digest', ['FinishUpload', 'blobs.discardedKeys'], async (world) => {
    const [layer, config] = [world.bytes('layer'), world.config()];
    await world.store('one', config);
    return {
      first: await world.beginUpload('first', 'one', layer),
      second: await world.beginUpload('second', 'one', layer),
      async verify({ first, second }) {
        assert.deepEqual([first.status, second.status], [201, 201]);
        await world.collect();
        assert.equal((await world.app.world.files()).length, 2, 'a key each');
        assert.equal((await world.put('', 'one', 'once', world.image(config, layer))).status, 201);
        await world.pulls('one', 'once');
      },
    };
  }),
  pair(
    'DELETE of a manifest and PUT of an index that names it',
    ['PutManifest', 'DeleteManifest'],
    async (world) => {
      const { manifest } = await parts(world);
      assert.equal((await world.put('', 'one', 'child', manifest)).status, 201);
      const child = digestOf(Buffer.from(manifest));
      const index = JSON.stringify({
        ...{ schemaVersion: 2, mediaType: indexType },
        manifests: [
          { mediaType: JSON.parse(manifest).mediaType, digest: child, size: manifest.length },
        ],
      });
      return {
        first: () => world.ask('first', 'PUT', 'one/manifests/index', index, indexType),
        second: () => world.ask('second', 'DELETE', `one/manifests/${child}`),
        async verify({ first, second }) {
          if (first.status === 201) {
            isRefused(second, /DENIED|UNSUPPORTED|IN_USE/);
            await world.pulls('one', 'index');
          } else {
            isRefused(first, /UNKNOWN/);
            assert.equal(second.status, 202);
          }
        },
      };
    },
  ),
];
