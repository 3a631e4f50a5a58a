import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { assertMounted, assertStored } from './support/checks.ts';
import { type DockerEngine, docker29, startEngine } from './support/docker-engine.ts';
import * as docker from './support/docker-verbs.ts';
import { savedAndSent } from './support/form-upload.ts';
import { type Image, type Index, makeImage, makeIndex, writeLayout } from './support/images.ts';
import { reference, seeded } from './support/layout-verbs.ts';
import { oidcLogin } from './support/oidc.ts';
import { filesystem, s3Redirected } from './support/storages.ts';
import { type Context, clientSuite, firstObstacle } from './support/suite.ts';

clientSuite<DockerEngine>({
  name: docker29.name,
  slow: true,
  obstacle: () => firstObstacle(docker29.obstacle(), docker.needsBusybox()),
  storages: [filesystem, s3Redirected],
  async start(context) {
    const engine = await startEngine(docker29, context.sandbox);
    await docker.logIn(engine, context);
    return engine;
  },
  stop: (engine) => engine.stop(),
  verbs: {
    login: docker.login,

    async push(engine, context) {
      const image = makeImage({ seed: 'push' });
      const name = `${reference(context, 'pushed')}:v1`;
      await load(engine, context, name, image);
      await engine.docker(['push', name]);
      await assertStored(context, 'pushed', 'v1', image);
    },

    pullTag: docker.pullTag,
    pullDigest: docker.pullDigest,

    async index(engine, context) {
      const index = makeIndex({ seed: 'index' });
      const name = `${reference(context, 'index')}:v1`;
      await load(engine, context, name, index);
      await engine.docker(['push', name]);
      await assertStored(context, 'index', 'v1', index);
      const fetched = makeIndex({ seed: 'index fetched' });
      await seeded(context, 'index-fetched', fetched);
      for (const [at, platform] of ['linux/amd64', 'linux/arm64'].entries()) {
        const from = `${reference(context, 'index-fetched')}:v1`;
        await engine.docker(['pull', '--platform', platform, from]);
        const layers = await engine.docker([
          ...['image', 'inspect', '--platform', platform, '-f', '{{json .RootFS.Layers}}', from],
        ]);
        const { rootfs } = JSON.parse(fetched.images[at]!.config.bytes.toString());
        assert.deepEqual(JSON.parse(layers), rootfs.diff_ids);
      }
    },

    async zstd(engine, context) {
      const folder = context.sandbox.fresh('zstd');
      writeFileSync(join(folder, 'file'), 'compressed with zstd\n'.repeat(10_000));
      writeFileSync(join(folder, 'Dockerfile'), 'FROM scratch\nCOPY file /file\n');
      const name = `${reference(context, 'zstd')}:v1`;
      const zstd =
        'compression=zstd,compression-level=3,force-compression=true,oci-mediatypes=true';
      await engine.docker([
        ...['buildx', 'build', '--provenance=false', folder],
        ...['--output', `type=image,name=${name},push=true,${zstd}`],
      ]);
      const stored = (await context.raw.image(context.gantry.repository('zstd'), 'v1')) as Image;
      assert.deepEqual(
        stored.layers.map(({ descriptor }) => descriptor.mediaType),
        ['application/vnd.oci.image.layer.v1.tar+zstd'],
      );
      const fetched = makeImage({ seed: 'zstd fetched', compression: 'zstd' });
      await seeded(context, 'zstd-fetched', fetched);
      await docker.pulled(engine, context, `${reference(context, 'zstd-fetched')}:v1`, fetched);
    },

    async mount(engine, context) {
      const image = makeImage({ seed: 'mount' });
      await seeded(context, 'mount-from', image);
      const [from, to] = ['mount-from', 'mount-to'].map((name) => `${reference(context, name)}:v1`);
      await engine.docker(['pull', from!]);
      await engine.docker(['tag', from!, to!]);
      context.tap.forget();
      await engine.docker(['push', to!]);
      assertMounted(context, image);
      await assertStored(context, 'mount-to', 'v1', image);
    },

    delete: 'docker deletes local images only',
  },
  extras: {
    'saves an image, which curl sends by form': savedAndSent,

    'logs in with an OIDC token and pushes': async (engine, context) => {
      const image = makeImage({ seed: 'oidc' });
      const name = `${reference(context, 'by-oidc')}:v1`;
      await load(engine, context, name, image);
      await oidcLogin(engine, context, (env) => engine.docker(['push', name], { env }));
      await assertStored(context, 'by-oidc', 'v1', image);
    },
    'pulls a public repository without a login, and no private one': docker.anonymous,
    'pulls an image of Docker schema 2': docker.pullSchema2,
    'builds, pushes, pulls and runs, with the attestations that the builder adds':
      docker.buildAndRun,
  },
});

async function load(engine: DockerEngine, context: Context, name: string, image: Image | Index) {
  const layout = context.sandbox.fresh('layout');
  writeLayout(layout, name, image);
  await engine.docker(['load', '-i', await docker.pack(context, layout)]);
}
