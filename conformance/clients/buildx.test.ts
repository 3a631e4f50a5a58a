import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { digestOf } from '../../src/oci/digest.ts';
import { assertMounted, assertStored, wrongToken } from './support/checks.ts';
import { type Daemon, startDaemon } from './support/daemon.ts';
import { contentsOf, type Image, type Index, makeImage, noise } from './support/images.ts';
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
import { untar } from './support/tar.ts';

/** buildx in front of a BuildKit of its own, by the remote driver: no Docker engine takes part. */
interface Buildx {
  readonly daemon: Daemon;
  /** `buildx <args>`: standard output. */
  buildx(args: readonly string[]): Promise<string>;
  /** Builds a Dockerfile with some files beside it. */
  build(dockerfile: string, ...args: string[]): Promise<void>;
  /** Sets the credentials as `docker login` keeps them. */
  keep(host: string, username: string, password: string): void;
}

const zstd = 'compression=zstd,compression-level=3,force-compression=true,oci-mediatypes=true';
const dockerfile = 'FROM scratch\nCOPY small /etc/small\nCOPY large /large\n';

clientSuite<Buildx>({
  name: 'buildx with BuildKit',
  slow: true,
  obstacle: () =>
    firstObstacle(needsRoot(), needsPrograms('buildx', 'buildkitd', 'buildctl', 'runc')),
  start,
  stop: async ({ daemon }) => {
    await daemon.stop();
  },
  verbs: {
    // buildx has no login: it reads what docker login keeps, and each build gets its own token by it.
    async login({ build, keep }, context) {
      const { username, password } = context.credentials;
      const push = () => build(dockerfile, '--output', image(`${reference(context, 'login')}:v1`));
      keep(context.host, username, wrongToken(password));
      await assert.rejects(push(), /401|unauthorized/i);
      keep(context.host, username, password);
      await push();
    },

    async push(buildx, context) {
      const stored = await built(buildx, context, 'pushed', '');
      assert.equal(stored.kind, 'image');
    },

    async pullTag(buildx, context) {
      const base = makeImage({ seed: 'pull by tag' });
      await seeded(context, 'by-tag', base);
      await based(buildx, context, `${reference(context, 'by-tag')}:v1`, base);
    },

    async pullDigest(buildx, context) {
      const base = makeImage({ seed: 'pull by digest' });
      await seeded(context, 'by-digest', base);
      const { digest } = base.manifest.descriptor;
      await based(buildx, context, `${reference(context, 'by-digest')}@${digest}`, base);
    },

    async index(buildx, context) {
      const platforms = ['--platform', 'linux/amd64,linux/arm64'];
      const stored = await built(buildx, context, 'index', '', ...platforms);
      assert.equal((stored as Index).images.length, 2);
      const name = `${reference(context, 'index')}:v1`;
      const shown = await buildx.buildx(['imagetools', 'inspect', '--raw', name]);
      assert.equal(shown, stored.manifest.bytes.toString());
    },

    async zstd(buildx, context) {
      const stored = (await built(buildx, context, 'zstd', `,${zstd}`)) as Image;
      for (const { descriptor } of stored.layers) {
        assert.equal(descriptor.mediaType, 'application/vnd.oci.image.layer.v1.tar+zstd');
      }
      const base = makeImage({ seed: 'zstd fetched', compression: 'zstd' });
      await seeded(context, 'zstd-fetched', base);
      await based(buildx, context, `${reference(context, 'zstd-fetched')}:v1`, base);
    },

    async mount({ buildx }, context) {
      const copied = makeImage({ seed: 'mount' });
      await seeded(context, 'mount-from', copied);
      const [from, to] = ['mount-from', 'mount-to'].map((name) => `${reference(context, name)}:v1`);
      await buildx(['imagetools', 'create', '--prefer-index=false', '--tag', to!, from!]);
      assertMounted(context, copied);
      await assertStored(context, 'mount-to', 'v1', copied);
    },

    delete: 'buildx deletes nothing from a registry',
  },
  extras: {
    'keeps its cache in the registry and builds from it': async ({ build, buildx }, context) => {
      const cache = `type=registry,ref=${reference(context, 'cache')}:v1`;
      const target = [
        '--provenance=false',
        '--output',
        image(`${reference(context, 'cached')}:v1`),
      ];
      await build(dockerfile, ...target, '--cache-to', `${cache},mode=max,oci-mediatypes=true`);
      await buildx(['prune', '--all', '--force']);
      context.tap.forget();
      await build(dockerfile, ...target, '--cache-from', cache);
      const read = context.tap.exchanges.filter(({ target }) => target.includes('/cache/'));
      assert.ok(read.length > 0, 'the cache is read');
      const again = await context.raw.image(context.gantry.repository('cached'), 'v1');
      assert.equal((again as Image).layers.length, 2);
    },

    'pushes the provenance of a build': async ({ build }, context) => {
      const name = `${reference(context, 'provenance')}:v1`;
      await build(dockerfile, '--provenance', 'mode=max', '--output', image(name));
      const repository = context.gantry.repository('provenance');
      const stored = await context.raw.image(repository, 'v1');
      const { manifests } = JSON.parse(stored.manifest.bytes.toString());
      assert.deepEqual(manifests[1].platform, { architecture: 'unknown', os: 'unknown' });
    },
  },
});

function image(name: string, more = ''): string {
  return `type=image,name=${name},push=true${more}`;
}

/** Builds into the registry and into a file at once: configs and layers have the same bytes. */
async function built(
  { build }: Buildx,
  context: Context,
  name: string,
  more: string,
  ...args: string[]
): Promise<Image | Index> {
  const archive = join(context.sandbox.fresh('built'), 'image.tar');
  const to = `${reference(context, name)}:v1`;
  await build(
    dockerfile,
    ...['--provenance=false', ...args, '--output', image(to, more)],
    ...['--output', `type=oci,dest=${archive}${more}`],
  );
  const local = untar(readFileSync(archive));
  const stored = await context.raw.image(context.gantry.repository(name), 'v1');
  for (const { descriptor, bytes } of contentsOf(stored).blobs) {
    const entry = `blobs/${descriptor.digest.replace(':', '/')}`;
    assert.ok(local.get(entry)?.equals(bytes), `${entry} of ${[...local.keys()].join(' ')}`);
  }
  return stored;
}

/** Builds FROM the image, whose layers then are in the result as they were. */
async function based({ build }: Buildx, context: Context, name: string, base: Image) {
  const archive = join(context.sandbox.fresh('based'), 'image.tar');
  await build(
    `FROM ${name}\nCOPY small /from-above\n`,
    ...['--provenance=false', '--output', `type=oci,dest=${archive}`],
  );
  const kept = new Set([...untar(readFileSync(archive)).values()].map((bytes) => digestOf(bytes)));
  for (const { descriptor } of base.layers) assert.ok(kept.has(descriptor.digest));
}

async function start(context: Context): Promise<Buildx> {
  const { sandbox, host, credentials } = context;
  const folder = sandbox.fresh('buildkit');
  const address = `unix://${folder}/b.sock`;
  const env = {
    ...sandbox.env,
    PATH: `${dirname(program('runc'))}:${sandbox.env.PATH}`,
    BUILDX_CONFIG: sandbox.fresh('buildx'),
  };
  writeFileSync(
    join(folder, 'buildkitd.toml'),
    [`[registry."${host}"]`, 'http = true', '[worker.containerd]', 'enabled = false'].join('\n'),
  );
  const daemon = await startDaemon({
    program: program('buildkitd'),
    args: [
      ...['--config', join(folder, 'buildkitd.toml'), '--root', join(folder, 'root')],
      ...['--addr', address, '--oci-worker-net', 'host', '--oci-cni-binary-dir', folder],
    ],
    env,
    log: join(folder, 'log'),
    ready: async () => {
      const asked = await run(program('buildctl'), ['--addr', address, 'debug', 'workers'], {
        env,
      });
      return asked.code === 0;
    },
  });
  const buildx = (args: readonly string[]) => must(program('buildx'), args, { env });
  await buildx(['create', '--name', 'gantry', '--driver', 'remote', '--use', address]);
  const keep: Buildx['keep'] = (registry, username, password) => {
    const auth = Buffer.from(`${username}:${password}`).toString('base64');
    const config = JSON.stringify({ auths: { [registry]: { auth } } });
    writeFileSync(join(sandbox.env.DOCKER_CONFIG!, 'config.json'), config);
  };
  keep(host, credentials.username, credentials.password);
  return {
    daemon,
    buildx,
    keep,
    async build(text, ...args) {
      const files = sandbox.fresh('context');
      writeFileSync(join(files, 'Dockerfile'), text);
      writeFileSync(join(files, 'small'), 'a small file\n');
      writeFileSync(join(files, 'large'), noise('large', 1 << 20));
      await buildx(['build', ...args, files]);
    },
  };
}
