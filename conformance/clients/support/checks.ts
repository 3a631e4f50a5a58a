/** What the verbs of several clients have in common. */
import assert from 'node:assert/strict';
import { contentsOf, type Image, type Index, readLayoutBlob } from './images.ts';
import { assertSameBytes } from './registry.ts';
import { run } from './run.ts';
import type { Context } from './suite.ts';

/** The registry holds exactly these bytes under the tag, and under the digest. */
export async function assertStored(
  { raw, gantry }: Context,
  name: string,
  tag: string,
  expected: Image | Index,
): Promise<void> {
  const repository = gantry.repository(name);
  assertSameBytes(await raw.image(repository, tag), expected);
  assertSameBytes(await raw.image(repository, expected.manifest.descriptor.digest), expected);
}

/** An OCI layout on disk holds every blob of the image, byte for byte. */
export function assertInLayout(folder: string, expected: Image | Index): void {
  const { blobs, manifests } = contentsOf(expected);
  for (const { descriptor, bytes } of [...manifests, ...blobs]) {
    assert.ok(readLayoutBlob(folder, descriptor.digest).equals(bytes), descriptor.digest);
  }
}

/** Every layer of the image was mounted since the tap last forgot, and none was sent. */
export function assertMounted({ tap }: Context, image: Image): void {
  const mounted = tap.exchanges
    .filter((one) => one.method === 'POST' && one.status === 201)
    .map((one) => new URL(one.target, 'http://registry').searchParams.get('mount'));
  for (const { descriptor } of image.layers) {
    assert.ok(mounted.includes(descriptor.digest), `${descriptor.digest} was not mounted`);
  }
  const sent = tap.exchanges.filter(
    (one) =>
      (one.method === 'PATCH' || one.method === 'PUT') &&
      image.layers.some(({ descriptor }) =>
        decodeURIComponent(one.target).includes(`digest=${descriptor.digest}`),
      ),
  );
  assert.deepEqual(sent, [], 'no layer is sent again');
}

export interface LoginCommand {
  readonly program: string;
  readonly args: (username: string) => readonly string[];
}

/** A login by standard input succeeds with the token and not with another of the same shape. */
export async function assertLogin(
  context: Context,
  { program, args }: LoginCommand,
  succeeded: RegExp,
): Promise<void> {
  const { username, password } = context.credentials;
  const { env } = context.sandbox;
  const wrong = await run(program, args(username), { env, input: wrongToken(password) });
  assert.notEqual(wrong.code, 0, `a wrong token logs in\n${wrong.stdout}${wrong.stderr}`);
  const right = await run(program, args(username), { env, input: password });
  const output = right.stdout + right.stderr;
  assert.equal(right.code, 0, output);
  assert.match(output, succeeded);
}

/** As long as the token, and of the same letters. */
export function wrongToken(token: string): string {
  return token.slice(0, 4) + [...token.slice(4)].reverse().join('');
}
