import assert from 'node:assert/strict';
import { copyFileSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { assertLogin, assertMounted } from './support/checks.ts';
import { needsBusybox } from './support/docker-verbs.ts';
import {
  type Image,
  type Index,
  makeImage,
  readLayout,
  uncompressed,
  writeLayout,
} from './support/images.ts';
import { reference, seeded } from './support/layout-verbs.ts';
import { assertSameContent } from './support/registry.ts';
import { must } from './support/run.ts';
import { type Context, clientSuite, firstObstacle, needsRoot } from './support/suite.ts';
import { untar } from './support/tar.ts';

/** buildah with a store of its own; it keeps layers uncompressed, so what it pushes it compresses anew. */
interface Buildah {
  buildah(args: readonly string[]): Promise<string>;
  /** Puts an image into the store; its id. */
  load(image: Image): Promise<string>;
  push(id: string, name: string, ...flags: string[]): Promise<void>;
  /** Pulls into the store; its id. */
  pull(name: string): Promise<string>;
}

const program = '/usr/bin/buildah';
const plain = '--tls-verify=false';

clientSuite<Buildah>({
  name: 'buildah',
  slow: true,
  obstacle: () =>
    firstObstacle(
      existsSync(program) ? undefined : 'buildah is not installed',
      needsRoot(),
      needsBusybox(),
    ),
  start,
  verbs: {
    login: (_, context) =>
      assertLogin(
        context,
        {
          program,
          args: (username) => ['login', plain, '-u', username, '--password-stdin', context.host],
        },
        /Login Succeeded!/,
      ),

    async push({ load, push }, context) {
      const image = makeImage({ seed: 'push' });
      await push(await load(image), `${reference(context, 'pushed')}:v1`);
      assertSameContent(await stored(context, 'pushed'), image);
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

    async index({ buildah, load }, context) {
      const images = ['amd64', 'arm64'].map((architecture) =>
        makeImage({ seed: architecture, platform: { os: 'linux', architecture } }),
      );
      await buildah(['manifest', 'create', 'list']);
      for (const image of images) await buildah(['manifest', 'add', 'list', await load(image)]);
      const name = `${reference(context, 'index')}:v1`;
      await buildah(['manifest', 'push', plain, '--all', 'list', `docker://${name}`]);
      const index = (await context.raw.image(context.gantry.repository('index'), 'v1')) as Index;
      assert.equal(index.images.length, 2);
      for (const [at, image] of images.entries()) assertSameContent(index.images[at]!, image);
      const arm64 = await buildah(['pull', plain, '--arch', 'arm64', name]);
      assert.equal(arm64.trim(), idOf(images[1]!));
    },

    async zstd(client, context) {
      const image = makeImage({ seed: 'zstd sent' });
      const name = `${reference(context, 'zstd-sent')}:v1`;
      await client.push(await client.load(image), name, '--compression-format', 'zstd');
      const sent = await stored(context, 'zstd-sent');
      for (const { descriptor } of sent.layers) {
        assert.equal(descriptor.mediaType, 'application/vnd.oci.image.layer.v1.tar+zstd');
      }
      assertSameContent(sent, image);
      const fetched = makeImage({ seed: 'zstd fetched', compression: 'zstd' });
      await seeded(context, 'zstd-fetched', fetched);
      await pulled(client, context, `${reference(context, 'zstd-fetched')}:v1`, fetched);
    },

    async mount({ pull, push }, context) {
      const image = makeImage({ seed: 'mount' });
      await seeded(context, 'mount-from', image);
      const id = await pull(`${reference(context, 'mount-from')}:v1`);
      context.tap.forget();
      await push(id, `${reference(context, 'mount-to')}:v1`);
      assertMounted(context, image);
      assertSameContent(await stored(context, 'mount-to'), image);
    },

    delete: 'buildah deletes local images only',
  },
  extras: {
    'builds with a command that runs, and pushes': async ({ buildah, push }, context) => {
      const folder = context.sandbox.fresh('build');
      copyFileSync('/bin/busybox', join(folder, 'busybox'));
      writeFileSync(
        join(folder, 'Dockerfile'),
        'FROM scratch\nCOPY busybox /busybox\nRUN ["/busybox", "sh", "-c", "echo made > /made"]\n',
      );
      await buildah(['bud', '--isolation', 'chroot', '--layers', '-t', 'built', folder]);
      await push('localhost/built', `${reference(context, 'built')}:v1`);
      const { layers } = await stored(context, 'built');
      assert.equal(
        untar(uncompressed(layers.at(-1)!))
          .get('made')
          ?.toString(),
        'made\n',
      );
    },
  },
});

async function start({ sandbox, host, credentials }: Context): Promise<Buildah> {
  const folder = sandbox.fresh('buildah');
  const store = ['--root', join(folder, 'root'), '--runroot', join(folder, 'run')];
  const options = [...store, '--storage-driver', 'vfs'];
  const buildah: Buildah['buildah'] = (args) =>
    must(program, [...options, ...args], { env: sandbox.env });
  await must(program, ['login', plain, '-u', credentials.username, '--password-stdin', host], {
    env: sandbox.env,
    input: credentials.password,
  });
  return {
    buildah,
    async load(image) {
      const layout = sandbox.fresh('layout');
      writeLayout(layout, 'v1', image);
      return (await buildah(['pull', '-q', `oci:${layout}:v1`])).trim();
    },
    async push(id, name, ...flags) {
      await buildah(['push', plain, ...flags, id, `docker://${name}`]);
    },
    pull: async (name) => (await buildah(['pull', '-q', plain, `docker://${name}`])).trim(),
  };
}

/** The store's name of an image is its config's digest. */
function idOf(image: Image): string {
  return image.config.descriptor.digest.replace('sha256:', '');
}

async function stored({ raw, gantry }: Context, name: string): Promise<Image> {
  return (await raw.image(gantry.repository(name), 'v1')) as Image;
}

/** Pulled and written to disk, the config and every layer's files are what they were. */
async function pulled({ pull, buildah }: Buildah, context: Context, name: string, image: Image) {
  const id = await pull(name);
  assert.equal(id, idOf(image));
  const layout = context.sandbox.fresh('pulled');
  await buildah(['push', id, `oci:${layout}:v1`]);
  assertSameContent(readLayout(layout), image);
}
