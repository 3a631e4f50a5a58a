import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { Wire, type WireAnswer } from '../attacks/wire.ts';
import { image } from '../spec/bundles.ts';
import { errorCodes, expectStatus } from '../spec/check.ts';
import { digestOf } from '../spec/content.ts';
import { useServer } from '../spec/fixture.ts';
import { beginUpload, pushBundle } from '../spec/push.ts';
import { mutateTarget } from './mutate-target.ts';
import { fuzzSettings, Random } from './random.ts';

const fixture = useServer({ env: { GANTRY_LOG_LEVEL: 'error' } });
const methods = ['GET', 'GET', 'GET', 'HEAD', 'PUT', 'POST', 'PATCH', 'DELETE', 'OPTIONS'];
const name =
  /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*){2}$/;

async function corpus(): Promise<string[]> {
  const { registry } = fixture;
  const repository = fixture.repository();
  const { top, ...bundle } = image();
  await pushBundle(registry, repository, bundle, 'latest');
  const session = new URL(await beginUpload(registry, repository));
  const known: Record<string, string> = {
    name: repository,
    digest: top.digest,
    sha512: digestOf('', 'sha512'),
    session: session.pathname + session.search,
  };
  const text = await readFile(new URL('corpus/targets.txt', import.meta.url), 'utf8');
  const filled = text.replace(/\{(\w+)\}/g, (_, key: string) => known[key]!);
  return filled.trim().split('\n');
}

/** A refusal has the error JSON where it is the registry's; nothing is a failure of the server. */
function checkOne(what: string, target: string, method: string, got: WireAnswer): void {
  assert.ok(got.status < 500, `${what}: ${got.status} ${got.body}`);
  if (got.status < 400 || method === 'HEAD' || !/^\/v2(?:[/?]|$)/.test(target)) return;
  assert.match(got.headers.get('content-type') ?? '', /^application\/json/, what);
  const { errors } = JSON.parse(got.body.toString()) as { errors: { code: string }[] };
  for (const { code } of errors) assert.ok(errorCodes.has(code), `${what}: ${code}`);
}

test('Fuzz: request targets are answered in time, without a failure of the server', async (t) => {
  const { seed, count } = fuzzSettings(6_000);
  t.diagnostic(`seed ${seed}, ${count} targets`);
  const { origin } = fixture.server;
  const random = new Random(seed);
  const targets = await corpus();
  let wire = await Wire.open(origin);
  for (let at = 0; at < count; at++) {
    const start = random.pick(targets);
    const target = at < targets.length ? targets[at]! : mutateTarget(random, start, targets);
    const method = random.pick(methods);
    const what = `number ${at} of seed ${seed}: ${method} ${JSON.stringify(target.slice(0, 400))}`;
    if (wire.closed) wire = await Wire.open(origin);
    await wire.send([
      `${method} ${target} HTTP/1.1`,
      'Host: fuzz.example',
      ...(random.chance(0.9) ? [`Authorization: ${fixture.registry.authorization}`] : []),
      'Content-Length: 0',
    ]);
    let got: WireAnswer | undefined;
    try {
      got = await wire.answer(3_000, method);
    } catch (error) {
      throw new Error(what, { cause: error });
    }
    assert.ok(got, `${what}: closed without an answer`);
    checkOne(what, target, method, got);
    if (/\bclose\b/i.test(got.headers.get('connection') ?? '')) await wire.expectClosed();
  }
  wire.close();
  expectStatus(await fixture.registry.get('/healthz'), 200);
  const { repositories } = (await fixture.registry.get('/v2/_catalog')).json() as {
    repositories: string[];
  };
  for (const made of repositories) assert.match(made, name, 'a name that cannot be was made');
});
