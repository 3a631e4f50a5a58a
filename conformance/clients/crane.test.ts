import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { assertLogin } from './support/checks.ts';
import { dockerArchive, type Image, makeImage } from './support/images.ts';
import { type LayoutClient, layoutVerbs, reference, seeded } from './support/layout-verbs.ts';
import { assertSameContent } from './support/registry.ts';
import { must } from './support/run.ts';
import { type Context, clientSuite, needsPrograms, program } from './support/suite.ts';

clientSuite<LayoutClient>({
  name: 'crane',
  obstacle: () => needsPrograms('crane'),
  start,
  verbs: {
    login: async (_, context) => {
      // `crane auth login` writes what it is given; the first command that needs it tells.
      await assertLogin(
        context,
        {
          program: '/bin/sh',
          args: (username) => [
            '-c',
            'crane=$1; host=$2; $crane auth login -u "$3" --password-stdin "$host" && $crane catalog "$host"',
            ...['sh', program('crane'), context.host, username],
          ],
        },
        /logged in via/,
      );
    },
    ...layoutVerbs,
  },
  extras: {
    'pushes an archive of docker save': async (_, context) => {
      const image = makeImage({ seed: 'archive' });
      const to = `${reference(context, 'archive')}:v1`;
      const archive = context.sandbox.path('archive.tar');
      writeFileSync(archive, dockerArchive(to, image));
      await command(context, ['push', archive, to]);
      const repository = context.gantry.repository('archive');
      assertSameContent((await context.raw.image(repository, 'v1')) as Image, image);
    },

    'finds what it stored valid': async (_, context) => {
      await seeded(context, 'validate', makeImage({ seed: 'validate' }));
      await command(context, ['validate', '--remote', `${reference(context, 'validate')}:v1`]);
    },

    'lists tags and repositories, and adds a tag': async (_, context) => {
      await seeded(context, 'lists', makeImage({ seed: 'lists' }));
      const repository = reference(context, 'lists');
      await command(context, ['tag', `${repository}:v1`, 'v2']);
      assert.equal(await command(context, ['ls', repository]), 'v1\nv2\n');
      const catalog = await command(context, ['catalog', context.host]);
      assert.ok(catalog.split('\n').includes(context.gantry.repository('lists')));
    },
  },
});

async function start(context: Context): Promise<LayoutClient> {
  const { username, password } = context.credentials;
  await must(
    program('crane'),
    ['auth', 'login', context.host, '-u', username, '--password-stdin'],
    { env: context.sandbox.env, input: password },
  );
  return {
    async push(folder, _, to) {
      // With --index the layout's own index would be pushed, which is not the image.
      await command(context, ['push', folder, to]);
    },
    async pull(from, folder) {
      await command(context, ['pull', '--format=oci', from, folder]);
    },
    async copy(from, to) {
      await command(context, ['copy', from, to]);
    },
    async remove(name) {
      await command(context, ['delete', name]);
    },
  };
}

function command({ sandbox }: Context, args: readonly string[]): Promise<string> {
  return must(program('crane'), args, { env: sandbox.env });
}
