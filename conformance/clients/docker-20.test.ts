import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { dockerManifestList } from '../../src/oci/media-types.ts';
import { assertMounted } from './support/checks.ts';
import { type DockerEngine, docker20, startEngine } from './support/docker-engine.ts';
import * as docker from './support/docker-verbs.ts';
import { savedAndSent } from './support/form-upload.ts';
import { dockerArchive, type Image, type Index, makeImage, makeIndex } from './support/images.ts';
import { reference, seeded } from './support/layout-verbs.ts';
import { oidcLogin } from './support/oidc.ts';
import { assertSameContent } from './support/registry.ts';
import { filesystem, s3Proxied } from './support/storages.ts';
import { type Context, clientSuite, firstObstacle } from './support/suite.ts';

clientSuite<DockerEngine>({
  name: docker20.name,
  slow: true,
  obstacle: () => firstObstacle(docker20.obstacle(), docker.needsBusybox()),
  storages: [filesystem, s3Proxied],
  async start(context) {
    const engine = await startEngine(docker20, context.sandbox);
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
      const repository = context.gantry.repository('pushed');
      assertSameContent((await context.raw.image(repository, 'v1')) as Image, image);
    },

    pullTag: docker.pullTag,
    pullDigest: docker.pullDigest,

    async index(engine, context) {
      const index = makeIndex({ seed: 'index' });
      await seeded(context, 'index', index);
      const name = reference(context, 'index');
      await engine.docker(['pull', `${name}:v1`]);
      const id = await engine.docker(['image', 'inspect', '-f', '{{.Id}}', `${name}:v1`]);
      assert.equal(id.trim(), index.images[0]!.config.descriptor.digest, 'amd64 is picked');

      // `docker manifest` of 20.10 puts only schema 2 images into a list.
      const images = ['amd64', 'arm64'].map((architecture) =>
        makeImage({ seed: architecture, platform: { os: 'linux', architecture }, docker: true }),
      );
      for (const image of images) await seeded(context, 'index', image);
      const digests = images.map((image) => image.manifest.descriptor.digest);
      const children = digests.map((digest) => `${name}@${digest}`);
      await engine.docker(['manifest', 'create', '--insecure', `${name}:v2`, ...children]);
      await engine.docker(['manifest', 'push', '--insecure', `${name}:v2`]);
      const pushed = (await context.raw.image(context.gantry.repository('index'), 'v2')) as Index;
      assert.equal(pushed.manifest.descriptor.mediaType, dockerManifestList);
      // The client keeps no order.
      const listed = pushed.images.map((image) => image.manifest.descriptor.digest);
      assert.deepEqual(listed.sort(), digests.sort());
    },

    zstd: 'the 20.10 engine neither makes nor reads zstd layers',

    async mount(engine, context) {
      const image = makeImage({ seed: 'mount', docker: true });
      await seeded(context, 'mount-from', image);
      const [from, to] = ['mount-from', 'mount-to'].map((name) => `${reference(context, name)}:v1`);
      await engine.docker(['pull', from!]);
      await engine.docker(['tag', from!, to!]);
      context.tap.forget();
      await engine.docker(['push', to!]);
      assertMounted(context, image);
      const copy = (await context.raw.image(context.gantry.repository('mount-to'), 'v1')) as Image;
      assertSameContent(copy, image);
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
      const repository = context.gantry.repository('by-oidc');
      assertSameContent((await context.raw.image(repository, 'v1')) as Image, image);
    },
    'pulls a public repository without a login, and no private one': docker.anonymous,
    'pulls an image of Docker schema 2': docker.pullSchema2,
    'builds, pushes, pulls and runs': docker.buildAndRun,
  },
});

async function load(engine: DockerEngine, context: Context, name: string, image: Image) {
  const archive = context.sandbox.path('archives', `${image.manifest.descriptor.size}.tar`);
  writeFileSync(archive, dockerArchive(name, image));
  await engine.docker(['load', '-i', archive]);
}
