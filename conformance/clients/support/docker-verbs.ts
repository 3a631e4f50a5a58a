/** The verbs of the docker client, on whichever engine. */
import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { digestOf } from '../../../src/oci/digest.ts';
import { assertLogin } from './checks.ts';
import type { DockerEngine } from './docker-engine.ts';
import { diffIds, type Image, makeImage } from './images.ts';
import { reference, seeded } from './layout-verbs.ts';
import { must } from './run.ts';
import type { Context, Step } from './suite.ts';
import { untar } from './tar.ts';

const busybox = '/bin/busybox';

export const login: Step<DockerEngine> = (engine, context) =>
  assertLogin(
    { ...context, sandbox: { ...context.sandbox, env: engine.env } },
    {
      program: engine.release.client(),
      args: (username) => ['login', '-u', username, '--password-stdin', context.host],
    },
    /Login Succeeded/,
  );

export async function logIn(engine: DockerEngine, { host, credentials }: Context): Promise<void> {
  await engine.docker(['login', '-u', credentials.username, '--password-stdin', host], {
    input: credentials.password,
  });
}

export const pullTag: Step<DockerEngine> = async (engine, context) => {
  const image = makeImage({ seed: 'pull by tag' });
  await seeded(context, 'by-tag', image);
  await pulled(engine, context, `${reference(context, 'by-tag')}:v1`, image);
};

export const pullDigest: Step<DockerEngine> = async (engine, context) => {
  const image = makeImage({ seed: 'pull by digest' });
  await seeded(context, 'by-digest', image);
  const { digest } = image.manifest.descriptor;
  await pulled(engine, context, `${reference(context, 'by-digest')}@${digest}`, image);
};

export const pullSchema2: Step<DockerEngine> = async (engine, context) => {
  const image = makeImage({ seed: 'schema 2', docker: true });
  await seeded(context, 'schema2', image);
  await pulled(engine, context, `${reference(context, 'schema2')}:v1`, image);
};

/** Pulls, and checks that what the engine now keeps is the image. */
export async function pulled(
  engine: DockerEngine,
  context: Context,
  name: string,
  image: Image,
): Promise<void> {
  await engine.docker(['pull', name]);
  const [found] = JSON.parse(await engine.docker(['image', 'inspect', name]));
  const { digest } = image.manifest.descriptor;
  const repository = name.replace(/(@|:[^:/]*$).*/, '');
  assert.ok(found.RepoDigests.includes(`${repository}@${digest}`), `${found.RepoDigests}`);
  assert.deepEqual(found.RootFS.Layers, diffIds(image));
  await assertSaved(engine, context, name, image);
}

/** `docker save` gives the config as it was, and the layers: as they were, or uncompressed. */
async function assertSaved(engine: DockerEngine, { sandbox }: Context, name: string, image: Image) {
  const archive = join(sandbox.fresh('saved'), 'image.tar');
  await engine.docker(['save', '-o', archive, name]);
  const kept = new Set([...untar(readFileSync(archive)).values()].map((bytes) => digestOf(bytes)));
  assert.ok(kept.has(image.config.descriptor.digest), 'the config is saved as it was');
  const plain = diffIds(image);
  for (const [at, { descriptor }] of image.layers.entries()) {
    assert.ok(kept.has(descriptor.digest) || kept.has(plain[at]! as never), descriptor.digest);
  }
}

/** Builds FROM scratch around a static program, pushes, forgets, pulls and runs it. */
export const buildAndRun: Step<DockerEngine> = async (engine, context) => {
  const folder = context.sandbox.fresh('build');
  copyFileSync(busybox, join(folder, 'busybox'));
  writeFileSync(join(folder, 'greeting'), 'hello from a pulled image\n');
  writeFileSync(
    join(folder, 'Dockerfile'),
    [
      'FROM scratch',
      'COPY busybox /busybox',
      'COPY greeting /greeting',
      'ENTRYPOINT ["/busybox"]',
    ].join('\n'),
  );
  const name = `${reference(context, 'built')}:v1`;
  await engine.docker(['build', '-t', name, folder]);
  await engine.docker(['push', name]);
  await engine.docker(['image', 'rm', '-f', name]);
  await engine.docker(['pull', name]);
  const said = await engine.docker(['run', '--rm', '--network', 'none', name, 'cat', '/greeting']);
  assert.equal(said, 'hello from a pulled image\n');
};

/** Pulls a public repository with no login; of a private one it learns nothing. */
export const anonymous: Step<DockerEngine> = async (engine, context) => {
  const image = makeImage({ seed: 'public' });
  await seeded(context, 'public', image);
  const name = `${reference(context, 'public')}:v1`;
  const env = { ...engine.env, ...otherConfig(context) };
  const refused = await engine.attempt(['pull', name], { env });
  assert.notEqual(refused.code, 0, 'a private repository is pulled without a login');
  assert.match(refused.stderr, /unauthorized|denied/i);
  const repository = context.gantry.repository('public');
  await context.gantry.admin('repository', 'visibility', repository, 'public');
  await engine.docker(['pull', name], { env });
  const other = `${reference(context, 'public')}:v2`;
  await engine.docker(['tag', name, other]);
  const pushed = await engine.attempt(['push', other], { env });
  assert.notEqual(pushed.code, 0, 'a public repository is pushed to without a login');
};

export function needsBusybox(): string | undefined {
  return existsSync(busybox) ? undefined : 'busybox-static is not installed';
}

/** An OCI layout as one file. */
export async function pack(context: Context, layout: string): Promise<string> {
  const archive = `${layout}.tar`;
  await must('tar', ['-C', layout, '-cf', archive, '.'], { env: context.sandbox.env });
  return archive;
}

/** DOCKER_CONFIG of another user: what one logs in to, the other does not see. */
export function otherConfig(context: Context): Record<string, string> {
  const folder = context.sandbox.fresh('docker-config');
  mkdirSync(folder, { recursive: true });
  return { DOCKER_CONFIG: folder };
}
