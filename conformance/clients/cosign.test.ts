import assert from 'node:assert/strict';
import { join } from 'node:path';
import { assertMounted, assertStored, wrongToken } from './support/checks.ts';
import { type Image, type Index, makeImage, makeIndex } from './support/images.ts';
import { reference, seeded } from './support/layout-verbs.ts';
import { must } from './support/run.ts';
import { type Context, clientSuite, needsPrograms, program } from './support/suite.ts';

interface Cosign {
  cosign(args: readonly string[], env?: Record<string, string>): Promise<string>;
  /** Prefix of a key pair's files: `<keys>.key` and `<keys>.pub`. */
  readonly keys: string;
  readonly otherKeys: string;
}

const signatureType = 'application/vnd.dev.cosign.artifact.sig.v1+json';
const bundleType = /^application\/vnd\.dev\.sigstore\.bundle/;

clientSuite<Cosign>({
  name: 'cosign',
  obstacle: () => needsPrograms('cosign'),
  start,
  verbs: {
    // `cosign login` writes what it is given; the first command that needs it tells.
    login: async ({ cosign }, context) => {
      await seeded(context, 'login', makeImage({ seed: 'login' }));
      const { username, password } = context.credentials;
      const save = () =>
        cosign([
          'save',
          '--dir',
          context.sandbox.fresh('login'),
          `${reference(context, 'login')}:v1`,
        ]);
      await cosign(['login', context.host, '-u', username, '-p', wrongToken(password)]);
      await assert.rejects(save(), /UNAUTHORIZED/);
      await cosign(['login', context.host, '-u', username, '-p', password]);
      await save();
    },

    push: (cosign, context) => carried(cosign, context, 'push', makeImage({ seed: 'push' }), ':v1'),
    pullTag: (cosign, context) =>
      carried(cosign, context, 'by-tag', makeImage({ seed: 'pull by tag' }), ':v1'),

    async pullDigest(cosign, context) {
      const image = makeImage({ seed: 'pull by digest' });
      const by = `@${image.manifest.descriptor.digest}`;
      await carried(cosign, context, 'by-digest', image, by);
    },

    index: (cosign, context) =>
      carried(cosign, context, 'index', makeIndex({ seed: 'index' }), ':v1'),
    zstd: (cosign, context) =>
      carried(cosign, context, 'zstd', makeImage({ seed: 'zstd', compression: 'zstd' }), ':v1'),

    async mount({ cosign, keys }, context) {
      const image = makeImage({ seed: 'mount' });
      await seeded(context, 'mount-from', image);
      const { digest } = image.manifest.descriptor;
      const [from, to] = ['mount-from', 'mount-to'].map((name) => reference(context, name));
      await cosign([...sign(keys), `${from}@${digest}`]);
      context.tap.forget();
      await cosign(['copy', `${from}:v1`, `${to}:v1`]);
      assertMounted(context, image);
      await assertStored(context, 'mount-to', 'v1', image);
      await cosign([...verify(keys), `${to}:v1`]);
    },

    // What cosign deletes is what it put there.
    async delete({ cosign, keys }, context) {
      const image = makeImage({ seed: 'clean' });
      await seeded(context, 'clean', image);
      const name = `${reference(context, 'clean')}@${image.manifest.descriptor.digest}`;
      await cosign([...sign(keys), name]);
      await cosign(['clean', '--force', '--type', 'signature', name]);
      await assert.rejects(cosign([...verify(keys), name]), /no signatures found/);
    },
  },
  extras: {
    'signs and verifies with a key pair, the signature under a tag': async (client, context) => {
      const { name, image } = await signed(client, context, 'classic', [], {});
      const tag = `${image.manifest.descriptor.digest.replace(':', '-')}.sig`;
      assert.ok(await context.raw.exists(context.gantry.repository('classic'), tag));
      await verified(client, name, []);
    },

    'signs and verifies with a key pair, the signature as a referrer': async (client, context) => {
      const experimental = { COSIGN_EXPERIMENTAL: '1' };
      const flags = ['--registry-referrers-mode=oci-1-1'];
      const { name, image } = await signed(client, context, 'referrer', flags, experimental);
      assert.deepEqual(await referrers(context, 'referrer', image), [signatureType]);
      await verified(client, name, ['--experimental-oci11=true']);
    },

    'signs and verifies with a key pair, as a bundle': async (client, context) => {
      const flags = ['--new-bundle-format', '--use-signing-config=false'];
      const { name, image } = await signed(client, context, 'bundle', flags, {});
      const [type] = await referrers(context, 'bundle', image);
      assert.match(type ?? 'no referrer', bundleType);
      // With nothing of the public service trusted, the key alone decides, and nothing is fetched.
      const roots = context.sandbox.path('trusted-root.json');
      await client.cosign(['trusted-root', 'create', '--out', roots]);
      await verified(client, name, ['--new-bundle-format', '--trusted-root', roots]);
    },
  },
});

async function start({ sandbox, host, credentials }: Context): Promise<Cosign> {
  const env = { ...sandbox.env, COSIGN_PASSWORD: '' };
  const cosign: Cosign['cosign'] = (args, more = {}) =>
    must(program('cosign'), args, { env: { ...env, ...more } });
  const { username, password } = credentials;
  await cosign(['login', host, '-u', username, '-p', password]);
  const [keys, otherKeys] = ['keys', 'other-keys'].map((name) => join(sandbox.fresh(name), 'pair'));
  await cosign(['generate-key-pair', '--output-key-prefix', keys!]);
  await cosign(['generate-key-pair', '--output-key-prefix', otherKeys!]);
  return { cosign, keys: keys!, otherKeys: otherKeys! };
}

function sign(keys: string): string[] {
  return ['sign', '--yes', '--key', `${keys}.key`, '--tlog-upload=false'];
}

function verify(keys: string): string[] {
  return ['verify', '--key', `${keys}.pub`, '--insecure-ignore-tlog=true'];
}

async function signed(
  { cosign, keys }: Cosign,
  context: Context,
  repository: string,
  flags: string[],
  env: Record<string, string>,
) {
  const image = makeImage({ seed: repository });
  await seeded(context, repository, image);
  const name = `${reference(context, repository)}@${image.manifest.descriptor.digest}`;
  await cosign([...sign(keys), ...flags, name], env);
  return { name, image };
}

async function verified({ cosign, keys, otherKeys }: Cosign, name: string, flags: string[]) {
  await cosign([...verify(keys), ...flags, name]);
  await assert.rejects(cosign([...verify(otherKeys), ...flags, name]));
}

/** Artifact types of what refers to the image. */
async function referrers({ raw, gantry }: Context, name: string, image: Image): Promise<string[]> {
  const { digest } = image.manifest.descriptor;
  const listed = await raw.expect(200, `/v2/${gantry.repository(name)}/referrers/${digest}`);
  const { manifests } = (await listed.json()) as { manifests: Array<{ artifactType: string }> };
  return manifests.map(({ artifactType }) => artifactType);
}

/** Saved to a folder and loaded from it into another repository, an image is what it was. */
async function carried(
  { cosign }: Cosign,
  context: Context,
  name: string,
  image: Image | Index,
  by: string,
) {
  const folder = context.sandbox.fresh('saved');
  await seeded(context, `${name}-from`, image);
  await cosign(['save', '--dir', folder, `${reference(context, `${name}-from`)}${by}`]);
  await cosign(['load', '--dir', folder, `${reference(context, `${name}-to`)}:v1`]);
  await assertStored(context, `${name}-to`, 'v1', image);
}
