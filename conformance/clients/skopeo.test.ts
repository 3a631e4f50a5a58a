import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { dockerManifest } from '../../src/oci/media-types.ts';
import { assertLogin, assertStored } from './support/checks.ts';
import { type Image, makeImage, writeLayout } from './support/images.ts';
import { type LayoutClient, layoutVerbs, reference, seeded } from './support/layout-verbs.ts';
import { assertSameContent } from './support/registry.ts';
import { must } from './support/run.ts';
import { filesystem, s3Proxied, s3Redirected } from './support/storages.ts';
import { type Context, clientSuite } from './support/suite.ts';

const skopeo = '/usr/bin/skopeo';

clientSuite<LayoutClient>({
  name: 'skopeo',
  obstacle: () => (existsSync(skopeo) ? undefined : 'skopeo is not installed'),
  storages: [filesystem, s3Proxied, s3Redirected],
  start,
  verbs: {
    login: (_, context) =>
      assertLogin(
        context,
        {
          program: skopeo,
          args: (username) => [
            ...['login', '--tls-verify=false', '-u', username, '--password-stdin'],
            context.host,
          ],
        },
        /Login Succeeded!/,
      ),
    ...layoutVerbs,
  },
  extras: {
    'recompresses to zstd while it pushes': async (_, context) => {
      const image = makeImage({ seed: 'recompress' });
      const folder = context.sandbox.fresh('recompress');
      writeLayout(folder, 'v1', image);
      await command(context, [
        ...['copy', '--dest-tls-verify=false', '--dest-compress-format', 'zstd'],
        ...[`oci:${folder}:v1`, `docker://${reference(context, 'recompressed')}:v1`],
      ]);
      const stored = await context.raw.image(context.gantry.repository('recompressed'), 'v1');
      assert.equal(stored.kind, 'image');
      const types = stored.kind === 'image' ? stored.layers.map((l) => l.descriptor.mediaType) : [];
      assert.deepEqual(new Set(types), new Set(['application/vnd.oci.image.layer.v1.tar+zstd']));
    },

    'pushes in the format of Docker schema 2': async (_, context) => {
      const image = makeImage({ seed: 'schema 2' });
      const folder = context.sandbox.fresh('schema2');
      writeLayout(folder, 'v1', image);
      await command(context, [
        ...['copy', '--dest-tls-verify=false', '--format', 'v2s2'],
        ...[`oci:${folder}:v1`, `docker://${reference(context, 'schema2')}:v1`],
      ]);
      const repository = context.gantry.repository('schema2');
      const stored = (await context.raw.image(repository, 'v1')) as Image;
      assert.equal(stored.manifest.descriptor.mediaType, dockerManifest);
      assertSameContent(stored, image);
    },

    'lists the tags of a repository': async (_, context) => {
      await seeded(context, 'tags', makeImage({ seed: 'tags' }));
      const repository = `docker://${reference(context, 'tags')}`;
      const listed = await command(context, ['list-tags', '--tls-verify=false', repository]);
      assert.deepEqual(JSON.parse(listed).Tags, ['v1']);
    },

    'syncs a repository from one place to another': async (_, context) => {
      const image = makeImage({ seed: 'sync' });
      await seeded(context, 'sync', image);
      const { host, gantry } = context;
      await command(context, [
        ...['sync', '--src-tls-verify=false', '--dest-tls-verify=false', '--src', 'docker'],
        ...['--dest', 'docker', `${host}/${gantry.repository('sync')}`],
        `${host}/${gantry.bootstrap.teamSlug}/${gantry.bootstrap.projectSlug}`,
      ]);
      await assertStored(context, 'sync', 'v1', image);
    },
  },
});

async function start(context: Context): Promise<LayoutClient> {
  const { username, password } = context.credentials;
  const creds = `${username}:${password}`;
  return {
    async push(folder, tag, to) {
      await command(context, [
        ...['copy', '--all', '--preserve-digests', '--dest-tls-verify=false'],
        ...['--dest-creds', creds, `oci:${folder}:${tag}`, `docker://${to}`],
      ]);
    },
    async pull(from, folder) {
      await command(context, [
        ...['copy', '--all', '--preserve-digests', '--src-tls-verify=false'],
        ...['--src-creds', creds, `docker://${from}`, `oci:${folder}:pulled`],
      ]);
    },
    async copy(from, to) {
      await command(context, [
        ...['copy', '--all', '--src-tls-verify=false', '--dest-tls-verify=false'],
        ...['--src-creds', creds, '--dest-creds', creds, `docker://${from}`, `docker://${to}`],
      ]);
    },
    async remove(name) {
      await command(context, [
        'delete',
        '--tls-verify=false',
        '--creds',
        creds,
        `docker://${name}`,
      ]);
    },
  };
}

function command({ sandbox }: Context, args: readonly string[]): Promise<string> {
  // Debian's default policy file is not there on every machine.
  return must(skopeo, ['--insecure-policy', ...args], { env: sandbox.env });
}
