import assert from 'node:assert/strict';
import { assertLogin, assertStored } from './support/checks.ts';
import { makeImage, writeLayout } from './support/images.ts';
import { type LayoutClient, layoutVerbs, reference, seeded } from './support/layout-verbs.ts';
import { must } from './support/run.ts';
import { type Context, clientSuite, needsPrograms, program } from './support/suite.ts';

clientSuite<LayoutClient>({
  name: 'regctl',
  obstacle: () => needsPrograms('regctl'),
  start,
  verbs: {
    login: (_, context) =>
      assertLogin(
        context,
        {
          program: program('regctl'),
          args: (username) => ['registry', 'login', context.host, '-u', username, '--pass-stdin'],
        },
        /^/,
      ),
    ...layoutVerbs,
  },
  extras: {
    'pushes a layer in chunks': async (_, context) => {
      // A store may ask for chunks of several megabytes (OCI-Chunk-Min-Length), which regctl heeds.
      const image = makeImage({ seed: 'chunks', size: 20 << 20 });
      const chunked = ['--blob-chunk', '300000', '--blob-max', '1000'];
      await command(context, ['registry', 'set', ...chunked, '--skip-check', context.host]);
      try {
        const folder = context.sandbox.fresh('chunks');
        writeLayout(folder, 'v1', image);
        await command(context, [
          ...['image', 'copy', `ocidir://${folder}:v1`, `${reference(context, 'chunks')}:v1`],
        ]);
      } finally {
        const whole = ['--blob-chunk', '0', '--blob-max', '0'];
        await command(context, ['registry', 'set', ...whole, '--skip-check', context.host]);
      }
      const uploads = context.tap.exchanges
        .filter(({ method }) => method === 'PATCH')
        .map(({ target }) => target.replace(/\?.*/, ''));
      assert.ok(uploads.length > new Set(uploads).size, 'one upload takes several chunks');
      await assertStored(context, 'chunks', 'v1', image);
    },

    'attaches an artifact and finds it as a referrer': async (_, context) => {
      const image = makeImage({ seed: 'subject' });
      await seeded(context, 'subject', image);
      const subject = `${reference(context, 'subject')}:v1`;
      const type = 'application/vnd.example.report.v1';
      await must(
        program('regctl'),
        ['artifact', 'put', '--artifact-type', type, '--subject', subject],
        { env: context.sandbox.env, input: 'a report' },
      );
      const found = await command(context, [
        ...['artifact', 'list', subject, '--filter-artifact-type', type],
        ...['--format', '{{json .Manifest.Manifests}}'],
      ]);
      const descriptors = JSON.parse(found);
      assert.equal(descriptors.length, 1, found);
      assert.equal(descriptors[0].artifactType, type);
      const text = await command(context, [
        ...['artifact', 'get', '--subject', subject, '--filter-artifact-type', type],
      ]);
      assert.equal(text, 'a report');
    },

    'deletes a tag and leaves the image': async (_, context) => {
      const image = makeImage({ seed: 'tag delete' });
      await seeded(context, 'tag-delete', image);
      await command(context, ['tag', 'delete', `${reference(context, 'tag-delete')}:v1`]);
      const repository = context.gantry.repository('tag-delete');
      assert.equal(await context.raw.exists(repository, 'v1'), false);
      const { digest } = image.manifest.descriptor;
      assert.equal(await context.raw.exists(repository, digest), true);
    },
  },
});

async function start(context: Context): Promise<LayoutClient> {
  const { username, password } = context.credentials;
  await command(context, ['registry', 'set', '--tls', 'disabled', '--skip-check', context.host]);
  await must(
    program('regctl'),
    ['registry', 'login', context.host, '-u', username, '--pass-stdin'],
    { env: context.sandbox.env, input: password },
  );
  return {
    async push(folder, tag, to) {
      await command(context, ['image', 'copy', `ocidir://${folder}:${tag}`, to]);
    },
    async pull(from, folder) {
      await command(context, ['image', 'copy', from, `ocidir://${folder}:pulled`]);
    },
    async copy(from, to) {
      await command(context, ['image', 'copy', from, to]);
    },
    async remove(name) {
      const digest = (await command(context, ['image', 'digest', name])).trim();
      await command(context, ['manifest', 'delete', `${name.replace(/:[^:/]*$/, '')}@${digest}`]);
    },
  };
}

function command({ sandbox }: Context, args: readonly string[]): Promise<string> {
  return must(program('regctl'), args, { env: sandbox.env });
}
