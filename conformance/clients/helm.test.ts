import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { assertLogin } from './support/checks.ts';
import type { Image } from './support/images.ts';
import { must } from './support/run.ts';
import { type Context, clientSuite, needsPrograms, program } from './support/suite.ts';

interface Helm {
  helm(...args: string[]): Promise<string>;
}

const configType = 'application/vnd.cncf.helm.config.v1+json';
const chartType = 'application/vnd.cncf.helm.chart.content.v1.tar+gzip';

clientSuite<Helm>({
  name: 'helm',
  obstacle: () => needsPrograms('helm'),
  async start(context) {
    const { env } = context.sandbox;
    await must(program('helm'), loginArgs(context, context.credentials.username), {
      env,
      input: context.credentials.password,
    });
    return { helm: (...args) => must(program('helm'), args, { env }) };
  },
  verbs: {
    login: (_, context) =>
      assertLogin(
        context,
        { program: program('helm'), args: (username) => loginArgs(context, username) },
        /Login Succeeded/,
      ),

    async push(helm, context) {
      const { archive } = await pushed(helm, context, 'pushed');
      const repository = context.gantry.repository('pushed');
      const stored = (await context.raw.image(repository, '0.1.0')) as Image;
      assert.equal(stored.config.descriptor.mediaType, configType);
      assert.equal(stored.layers[0]?.descriptor.mediaType, chartType);
      assert.ok(stored.layers[0].bytes.equals(archive), 'the chart arrives as it was');
    },

    async pullTag(helm, context) {
      const { archive } = await pushed(helm, context, 'by-tag');
      await pulled(helm, context, `${address(context)}/by-tag`, archive, '--version', '0.1.0');
    },

    async pullDigest(helm, context) {
      const { archive, digest } = await pushed(helm, context, 'by-digest');
      await pulled(helm, context, `${address(context)}/by-digest@${digest}`, archive);
    },

    index: 'a chart has no platforms',
    zstd: 'a chart is a gzip archive',
    mount: 'helm does not copy between repositories',
    delete: 'helm deletes nothing from a registry',
  },
});

function loginArgs({ host }: Context, username: string): string[] {
  return ['registry', 'login', host, '-u', username, '--password-stdin', '--plain-http'];
}

function address({ host, gantry }: Context): string {
  return `oci://${host}/${gantry.bootstrap.teamSlug}/${gantry.bootstrap.projectSlug}`;
}

async function pushed({ helm }: Helm, context: Context, name: string) {
  const folder = context.sandbox.fresh('chart');
  const chart = join(folder, name);
  mkdirSync(join(chart, 'templates'), { recursive: true });
  writeFileSync(
    join(chart, 'Chart.yaml'),
    `apiVersion: v2\nname: ${name}\nversion: 0.1.0\ndescription: A chart of a test\n`,
  );
  writeFileSync(
    join(chart, 'templates', 'settings.yaml'),
    'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\n',
  );
  await helm('package', chart, '-d', folder);
  const file = join(folder, `${name}-0.1.0.tgz`);
  await helm('push', file, address(context), '--plain-http');
  const { descriptor } = await context.raw.manifest(context.gantry.repository(name), '0.1.0');
  return { archive: readFileSync(file), digest: descriptor.digest };
}

async function pulled(
  { helm }: Helm,
  { sandbox }: Context,
  chart: string,
  archive: Buffer,
  ...flags: string[]
) {
  const folder = sandbox.fresh('pulled');
  await helm('pull', chart, '--plain-http', '-d', folder, ...flags);
  const [file] = readdirSync(folder);
  assert.ok(readFileSync(join(folder, file!)).equals(archive));
}
