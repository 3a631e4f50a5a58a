import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { assertMounted, assertStored, wrongToken } from './support/checks.ts';
import { type Daemon, startDaemon } from './support/daemon.ts';
import {
  contentsOf,
  type Image,
  type Index,
  makeImage,
  makeIndex,
  writeLayout,
} from './support/images.ts';
import { reference, seeded } from './support/layout-verbs.ts';
import { must, run } from './support/run.ts';
import {
  type Context,
  clientSuite,
  firstObstacle,
  needsPrograms,
  needsRoot,
  program,
} from './support/suite.ts';

interface Ctr {
  readonly daemon: Daemon;
  /** `ctr` against this containerd. */
  ctr(...args: string[]): Promise<string>;
  pull(reference: string, ...flags: string[]): Promise<void>;
  push(reference: string, ...flags: string[]): Promise<void>;
  /** The content store's bytes of every part of the image are the image's. */
  holds(image: Image | Index): Promise<void>;
  /** Puts the image into the content store under that name, from an archive. */
  load(name: string, image: Image | Index): Promise<void>;
}

clientSuite<Ctr>({
  name: 'containerd',
  slow: true,
  obstacle: () => firstObstacle(needsRoot(), needsPrograms('containerd', 'ctr')),
  start,
  stop: async ({ daemon }) => {
    await daemon.stop();
  },
  verbs: {
    // ctr has no login: each command takes the credentials, and the token exchange is the same.
    async login({ ctr }, context) {
      await seeded(context, 'login', makeImage({ seed: 'login' }));
      const { username, password } = context.credentials;
      const pull = (token: string) =>
        ctr(
          ...['images', 'pull', '--plain-http', '--user', `${username}:${token}`],
          `${reference(context, 'login')}:v1`,
        );
      await assert.rejects(pull(wrongToken(password)), /401|unauthorized/i);
      await pull(password);
    },

    async push({ load, push }, context) {
      const image = makeImage({ seed: 'push' });
      const name = `${reference(context, 'pushed')}:v1`;
      await load(name, image);
      await push(name);
      await assertStored(context, 'pushed', 'v1', image);
    },

    async pullTag({ pull, holds }, context) {
      const image = makeImage({ seed: 'pull by tag' });
      await seeded(context, 'by-tag', image);
      await pull(`${reference(context, 'by-tag')}:v1`);
      await holds(image);
    },

    async pullDigest({ pull, holds }, context) {
      const image = makeImage({ seed: 'pull by digest' });
      await seeded(context, 'by-digest', image);
      await pull(`${reference(context, 'by-digest')}@${image.manifest.descriptor.digest}`);
      await holds(image);
    },

    async index({ load, push, pull, holds }, context) {
      const sent = makeIndex({ seed: 'index sent' });
      const name = `${reference(context, 'index-sent')}:v1`;
      await load(name, sent);
      await push(name);
      await assertStored(context, 'index-sent', 'v1', sent);
      const fetched = makeIndex({ seed: 'index fetched' });
      await seeded(context, 'index-fetched', fetched);
      await pull(`${reference(context, 'index-fetched')}:v1`, '--all-platforms', '--local');
      await holds(fetched);
    },

    async zstd({ load, push, pull, holds }, context) {
      const sent = makeImage({ seed: 'zstd sent', compression: 'zstd' });
      const name = `${reference(context, 'zstd-sent')}:v1`;
      await load(name, sent);
      await push(name);
      await assertStored(context, 'zstd-sent', 'v1', sent);
      const fetched = makeImage({ seed: 'zstd fetched', compression: 'zstd' });
      await seeded(context, 'zstd-fetched', fetched);
      await pull(`${reference(context, 'zstd-fetched')}:v1`);
      await holds(fetched);
    },

    async mount({ ctr, pull, push }, context) {
      const image = makeImage({ seed: 'mount' });
      await seeded(context, 'mount-from', image);
      const [from, to] = ['mount-from', 'mount-to'].map((name) => `${reference(context, name)}:v1`);
      await pull(from!);
      await ctr('images', 'tag', from!, to!);
      context.tap.forget();
      await push(to!);
      assertMounted(context, image);
      await assertStored(context, 'mount-to', 'v1', image);
    },

    delete: 'ctr deletes local images only',
  },
  extras: {
    'pulls an image of Docker schema 2': async ({ pull, holds }, context) => {
      const image = makeImage({ seed: 'schema 2', docker: true });
      await seeded(context, 'schema2', image);
      await pull(`${reference(context, 'schema2')}:v1`);
      await holds(image);
    },
  },
});

async function start(context: Context): Promise<Ctr> {
  const { sandbox } = context;
  const folder = sandbox.fresh('containerd');
  const socket = `${folder}/c.sock`;
  const config = `${folder}/config.toml`;
  writeFileSync(
    config,
    [
      'version = 3',
      `root = "${folder}/root"`,
      `state = "${folder}/state"`,
      'disabled_plugins = ["io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime", "io.containerd.grpc.v1.cri", "io.containerd.nri.v1.nri"]',
      '[grpc]',
      `address = "${socket}"`,
    ].join('\n'),
  );
  const env = { ...sandbox.env, PATH: `${dirname(program('containerd'))}:${sandbox.env.PATH}` };
  const ctrArgs = ['--address', socket];
  const daemon = await startDaemon({
    program: program('containerd'),
    args: ['--config', config],
    env,
    log: `${folder}/log`,
    ready: async () => (await run(program('ctr'), [...ctrArgs, 'version'], { env })).code === 0,
  });
  const ctr = (...args: string[]) => must(program('ctr'), [...ctrArgs, ...args], { env });
  const user = `${context.credentials.username}:${context.credentials.password}`;
  return {
    daemon,
    ctr,
    async pull(name, ...flags) {
      await ctr('images', 'pull', '--plain-http', '--user', user, ...flags, name);
    },
    async push(name, ...flags) {
      await ctr('images', 'push', '--plain-http', '--user', user, ...flags, name);
    },
    async holds(image) {
      const { blobs, manifests } = contentsOf(image);
      for (const { descriptor, bytes } of [...manifests, ...blobs]) {
        const args = [...ctrArgs, 'content', 'get', descriptor.digest];
        const found = await must(program('ctr'), args, { env, encoding: 'latin1' });
        assert.ok(Buffer.from(found, 'latin1').equals(bytes), descriptor.digest);
      }
    },
    async load(name, image) {
      const layout = sandbox.fresh('layout');
      writeLayout(layout, name, image);
      const archive = `${layout}.tar`;
      await must('tar', ['-C', layout, '-cf', archive, '.'], { env });
      await ctr('images', 'import', '--all-platforms', '--no-unpack', '--local', archive);
    },
  };
}
