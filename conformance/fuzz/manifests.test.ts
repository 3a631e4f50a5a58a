import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { expectHeader, expectStatus } from '../spec/check.ts';
import { content, digestOf, mediaTypes } from '../spec/content.ts';
import { useServer } from '../spec/fixture.ts';
import { pushBlob } from '../spec/push.ts';
import { mutateJson } from './mutate-json.ts';
import { fuzzSettings, Random } from './random.ts';

const fixture = useServer({ env: { GANTRY_LOG_LEVEL: 'error' } });
const folder = new URL('corpus/manifests/', import.meta.url);
const types = [
  mediaTypes.manifest,
  mediaTypes.index,
  mediaTypes.dockerManifest,
  mediaTypes.dockerList,
  'application/json',
  'text/plain',
  '',
];

function typeOf(random: Random, bytes: Buffer): string {
  if (random.chance(0.15)) return random.pick(types);
  const declared = /"mediaType":\s*"([^"\\]{1,100})"/.exec(bytes.toString('latin1'))?.[1];
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what a header cannot carry
  return (declared ?? mediaTypes.manifest).replace(/[\u0000-\u001f\u007f-\uffff]/g, '');
}

test('Fuzz: manifests are taken whole or refused in time, without a failure of the server', async (t) => {
  const { seed, count } = fuzzSettings(2_400);
  const { registry } = fixture;
  const random = new Random(seed);
  const repository = fixture.repository();
  expectStatus(await pushBlob(registry, repository, content('{}')), 201);
  const names = (await readdir(folder)).sort();
  const corpus = await Promise.all(names.map((name) => readFile(new URL(name, folder), 'utf8')));
  const accepted = new Map<string, string>();
  for (let at = 0; at < count; at++) {
    const bytes =
      at < corpus.length ? Buffer.from(corpus[at]!) : mutateJson(random, random.pick(corpus));
    const type = typeOf(random, bytes);
    const what = `number ${at} of seed ${seed}, as "${type}": ${bytes.toString('latin1').slice(0, 400)}`;
    const started = performance.now();
    const answer = await registry
      .ask('PUT', `/v2/${repository}/manifests/fuzz`, {
        headers: type === '' ? {} : { 'content-type': type },
        body: bytes,
      })
      .catch((error: unknown) => {
        throw new Error(what, { cause: error });
      });
    assert.ok(performance.now() - started < 3_000, `${what}: took too long`);
    assert.ok([201, 400, 404, 413, 415].includes(answer.status), `${what}: ${answer.status}`);
    if (answer.status === 201) {
      const digest = digestOf(bytes);
      expectHeader(answer, 'docker-content-digest', digest);
      accepted.set(digest, answer.header('oci-subject') ?? '');
      const got = await registry.get(`/v2/${repository}/manifests/fuzz`);
      assert.ok(expectStatus(got, 200).body.equals(bytes), `${what}: other bytes`);
    }
  }
  t.diagnostic(`seed ${seed}, ${count} manifests, ${accepted.size} of them taken`);
  assert.ok(accepted.size > corpus.length / 2, 'too few were taken for this to mean anything');
  for (const subject of new Set(accepted.values())) {
    if (subject === '') continue;
    const wanted = [...accepted].filter(([, of]) => of === subject).map(([digest]) => digest);
    const seen: string[] = [];
    let next: string | undefined = `/v2/${repository}/referrers/${subject}`;
    while (next !== undefined) {
      const page = expectStatus(await registry.get(next), 200);
      const { manifests } = page.json() as { manifests: { digest: string }[] };
      seen.push(...manifests.map(({ digest }) => digest));
      next = page.nextPage();
    }
    assert.deepEqual(seen.sort(), wanted.sort(), `the referrers of ${subject}`);
  }
  expectStatus(await registry.get('/healthz'), 200);
});
