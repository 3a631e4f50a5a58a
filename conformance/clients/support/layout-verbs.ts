/** The verbs of clients that read and write OCI image layouts: what they move has to stay the same bytes. */
import assert from 'node:assert/strict';
import { assertInLayout, assertMounted, assertStored } from './checks.ts';
import { type Image, type Index, makeImage, makeIndex, writeLayout } from './images.ts';
import type { Context, Step, Verb } from './suite.ts';

export interface LayoutClient {
  /** Sends what the layout's `tag` is to `reference`, all platforms of an index. */
  push(folder: string, tag: string, reference: string): Promise<void>;
  /** Fetches into a layout; of an index, all platforms. */
  pull(reference: string, folder: string): Promise<void>;
  copy?(from: string, to: string): Promise<void>;
  /** Removes the image from the registry, or its tag where the client removes tags. */
  remove?(reference: string): Promise<void>;
}

type Verbs = Record<Exclude<Verb, 'login'>, Step<LayoutClient> | string>;

export const layoutVerbs: Verbs = {
  async push(client, context) {
    await pushed(client, context, 'pushed', makeImage({ seed: 'push' }));
  },

  async pullTag(client, context) {
    const image = makeImage({ seed: 'pull by tag' });
    await seeded(context, 'by-tag', image);
    await pulled(client, context, `${reference(context, 'by-tag')}:v1`, image);
  },

  async pullDigest(client, context) {
    const image = makeImage({ seed: 'pull by digest' });
    await seeded(context, 'by-digest', image);
    const { digest } = image.manifest.descriptor;
    await pulled(client, context, `${reference(context, 'by-digest')}@${digest}`, image);
  },

  async index(client, context) {
    const index = makeIndex({ seed: 'index' });
    await pushed(client, context, 'index', index);
    await pulled(client, context, `${reference(context, 'index')}:v1`, index);
    const { digest } = index.manifest.descriptor;
    await pulled(client, context, `${reference(context, 'index')}@${digest}`, index);
  },

  async zstd(client, context) {
    const image = makeImage({ seed: 'zstd', compression: 'zstd' });
    await pushed(client, context, 'zstd', image);
    await pulled(client, context, `${reference(context, 'zstd')}:v1`, image);
  },

  async mount(client, context) {
    const image = makeImage({ seed: 'mount' });
    await pushed(client, context, 'mount-from', image);
    context.tap.forget();
    const from = `${reference(context, 'mount-from')}:v1`;
    await client.copy!(from, `${reference(context, 'mount-to')}:v1`);
    assertMounted(context, image);
    await assertStored(context, 'mount-to', 'v1', image);
  },

  async delete(client, context) {
    const image = makeImage({ seed: 'delete' });
    await seeded(context, 'delete', image);
    await client.remove!(`${reference(context, 'delete')}:v1`);
    const repository = context.gantry.repository('delete');
    assert.equal(await context.raw.exists(repository, 'v1'), false, 'the tag is gone');
  },
};

/** `host/team/project/name`, without a tag. */
export function reference({ host, gantry }: Context, name: string): string {
  return `${host}/${gantry.repository(name)}`;
}

export async function seeded(context: Context, name: string, image: Image | Index): Promise<void> {
  await context.raw.push(context.gantry.repository(name), 'v1', image);
}

async function pushed(client: LayoutClient, context: Context, name: string, image: Image | Index) {
  const folder = context.sandbox.fresh(name);
  writeLayout(folder, 'v1', image);
  await client.push(folder, 'v1', `${reference(context, name)}:v1`);
  await assertStored(context, name, 'v1', image);
}

async function pulled(
  client: LayoutClient,
  { sandbox }: Context,
  from: string,
  image: Image | Index,
) {
  const folder = sandbox.fresh('pulled');
  await client.pull(from, folder);
  assertInLayout(folder, image);
}
