import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { image } from '../spec/bundles.ts';
import { expectError, expectHeader, expectSame, expectStatus } from '../spec/check.ts';
import type { Answer, Registry } from '../spec/client.ts';
import { content, manifest, mediaTypes, uniqueBytes, unknownDigest } from '../spec/content.ts';
import { useServer } from '../spec/fixture.ts';
import {
  beginUpload,
  blobStatus,
  closeUpload,
  pushBlob,
  pushBundle,
  putManifest,
  sendChunk,
} from '../spec/push.ts';
import { admin, createTeam, createTeamToken, type Principal, type Team } from './principals.ts';

let victims: Team;
let victim: Principal;
let thieves: Team;
let thief: Principal;

const fixture = useServer({
  async prepare({ server, registry }) {
    victims = await createTeam(server, 'victims');
    victim = await createTeamToken(server, registry, victims, 'admin');
    thieves = await createTeam(server, 'thieves');
    thief = await createTeamToken(server, registry, thieves, 'admin');
  },
});

/** What a mount's answer shows, without what is each session's own. */
function shape(answer: Answer): unknown {
  const masked = (text: string) => text.replace(/[0-9a-f]{8}-?[0-9a-f-]{20,}/gi, 'ID');
  const headers = answer.rawHeaders
    .filter(([name]) => !/^date$|request-id$/i.test(name))
    .map(([name, value]) =>
      /^location$/i.test(name)
        ? [name, masked(new URL(value, answer.url).pathname)]
        : [name, masked(value)],
    );
  return { status: answer.status, headers, body: answer.text() };
}

describe('A3, A4: a mount tells nothing of what is private', () => {
  const mount = (registry: Registry, to: string, query: Record<string, string>) =>
    registry.ask('POST', `/v2/${to}/blobs/uploads/`, { query });

  test('A3: from a private repository, from an absent one, of an absent blob: one 202', async () => {
    const from = `${victims.slug}/app/vault`;
    const blob = content(uniqueBytes());
    expectStatus(await pushBlob(victim.registry, from, blob), 201);
    const to = `${thieves.slug}/app/loot`;
    const answers = [
      await mount(thief.registry, to, { mount: blob.digest, from }),
      await mount(thief.registry, to, { mount: unknownDigest(), from }),
      await mount(thief.registry, to, { mount: blob.digest, from: `${victims.slug}/app/void1` }),
      await mount(thief.registry, to, { mount: blob.digest, from: `${victims.slug}/ppp/vault` }),
      await mount(thief.registry, to, { mount: blob.digest, from: 'nobodys/app/vault' }),
    ];
    for (const answer of answers) {
      expectStatus(answer, 202);
      assert.deepEqual(shape(answer), shape(answers[0]!));
    }
    assert.equal(await blobStatus(thief.registry, to, blob.digest), 404);
  });

  test('A4: without "from", a digest that is private elsewhere is 202 as an unknown one', async () => {
    const blob = content(uniqueBytes());
    expectStatus(await pushBlob(victim.registry, `${victims.slug}/app/vault`, blob), 201);
    const to = `${thieves.slug}/app/loot`;
    const [known, unknown] = [
      await mount(thief.registry, to, { mount: blob.digest }),
      await mount(thief.registry, to, { mount: unknownDigest() }),
    ];
    expectStatus(known, 202);
    assert.deepEqual(shape(known), shape(unknown));
    assert.equal(await blobStatus(thief.registry, to, blob.digest), 404);
  });

  test('A4: a digest and its length are no way to the bytes', async () => {
    const blob = content(uniqueBytes());
    expectStatus(await pushBlob(victim.registry, `${victims.slug}/app/vault`, blob), 201);
    const to = `${thieves.slug}/app/loot`;
    const location = await beginUpload(thief.registry, to);
    expectError(await closeUpload(thief.registry, location, blob.digest), 400, 'DIGEST_INVALID');
    const post = await thief.registry.ask('POST', `/v2/${to}/blobs/uploads/`, {
      query: { digest: blob.digest },
      body: Buffer.alloc(blob.bytes.length),
    });
    expectError(post, 400, 'DIGEST_INVALID');
    assert.equal(await blobStatus(thief.registry, to, blob.digest), 404);
  });

  test('A3: who may read both repositories may mount across projects', async () => {
    const blob = content(uniqueBytes());
    const from = `${victims.slug}/app/vault`;
    expectStatus(await pushBlob(victim.registry, from, blob), 201);
    const to = `${victims.slug}/app/copy`;
    const answer = await mount(victim.registry, to, { mount: blob.digest, from });
    expectHeader(expectStatus(answer, 201), 'docker-content-digest', blob.digest);
  });

  test('A13: a manifest that names a blob private elsewhere is answered as for an absent one', async () => {
    const { blobs, top } = image();
    const to = `${thieves.slug}/app/manifests`;
    await beginUpload(thief.registry, to);
    const before = await putManifest(thief.registry, to, 'stolen', top);
    expectError(before, [400, 404], 'MANIFEST_BLOB_UNKNOWN');
    for (const blob of blobs)
      expectStatus(await pushBlob(victim.registry, `${victims.slug}/app/vault`, blob), 201);
    const after = await putManifest(thief.registry, to, 'stolen', top);
    expectSame(before, after, 'before and after the blobs were pushed elsewhere');
    const index = manifest(mediaTypes.index, { manifests: [top.descriptor] });
    const absent = await putManifest(thief.registry, to, 'stolen', index);
    await pushBundle(victim.registry, `${victims.slug}/app/vault`, { blobs, manifests: [top] });
    const present = await putManifest(thief.registry, to, 'stolen', index);
    expectError(absent, [400, 404], 'MANIFEST_BLOB_UNKNOWN');
    expectSame(absent, present, 'before and after the child was pushed elsewhere');
  });
});

describe("A5: another's upload session", () => {
  const verbs = async (registry: Registry, location: string) => {
    const blob = content(uniqueBytes(10));
    return [
      await registry.get(location),
      await sendChunk(registry, location, blob.bytes, 0),
      await registry.ask('PATCH', location, { body: blob.bytes }),
      await closeUpload(registry, location, blob.digest, blob.bytes),
      await registry.delete(location),
    ];
  };

  const thieving: [string, () => Promise<Registry>, number, string][] = [
    ['a token of another team', async () => thief.registry, 404, 'BLOB_UPLOAD_UNKNOWN'],
    [
      'another token of the same team',
      async () =>
        (await createTeamToken(fixture.server, fixture.registry, victims, 'admin')).registry,
      404,
      'BLOB_UPLOAD_UNKNOWN',
    ],
    ['nobody', async () => fixture.registry.as(undefined), 401, 'UNAUTHORIZED'],
  ];
  for (const [who, registryOf, status, code] of thieving)
    test(`A5: by ${who}: ${status} for any verb, and its owner goes on`, async () => {
      const repository = `${victims.slug}/app/sessions`;
      const blob = content(uniqueBytes(2_000));
      let location = await beginUpload(victim.registry, repository);
      const half = blob.bytes.subarray(0, 1_000);
      location = expectStatus(await sendChunk(victim.registry, location, half, 0), 202).location();
      const registry = await registryOf();
      // What is outside of the team's repositories is unknown by name, too.
      for (const answer of await verbs(registry, location))
        expectError(answer, status, code, 'NAME_UNKNOWN');
      const progress = expectStatus(await victim.registry.get(location), 204);
      expectHeader(progress, 'range', '0-999');
      const rest = blob.bytes.subarray(1_000);
      expectStatus(await closeUpload(victim.registry, location, blob.digest, rest), 201);
    });

  test('A5: by a team, moved into its own repository: 404', async () => {
    const repository = `${victims.slug}/app/sessions`;
    const location = await beginUpload(victim.registry, repository);
    const own = `${thieves.slug}/app/sessions`;
    await beginUpload(thief.registry, own);
    const moved = location.replace(`/${repository}/`, `/${own}/`);
    for (const answer of await verbs(thief.registry, moved))
      expectError(answer, 404, 'BLOB_UPLOAD_UNKNOWN');
    expectStatus(await victim.registry.get(location), 204);
  });

  test('A5: a URL whose signature or session was changed: 404', async () => {
    const repository = `${victims.slug}/app/sessions`;
    const location = new URL(await beginUpload(victim.registry, repository));
    const changed: URL[] = [];
    for (const name of location.searchParams.keys()) {
      const [flipped, gone, doubled] = [new URL(location), new URL(location), new URL(location)];
      const value = location.searchParams.get(name)!;
      const last = value.at(-2) === 'A' ? 'B' : 'A';
      flipped.searchParams.set(name, value.slice(0, -2) + last + value.slice(-1));
      gone.searchParams.delete(name);
      doubled.searchParams.set(name, '');
      changed.push(flipped, gone, doubled);
    }
    const another = new URL(await beginUpload(victim.registry, repository));
    const crossed = new URL(another);
    crossed.search = location.search;
    if (location.search !== '') changed.push(crossed);
    for (const { href } of changed)
      expectError(await victim.registry.get(href), 404, 'BLOB_UPLOAD_UNKNOWN');
    expectStatus(await victim.registry.get(location.href), 204);
  });

  test('A5: Basic and Bearer of one token are one owner', async () => {
    const repository = `${victims.slug}/app/sessions`;
    const blob = content(uniqueBytes(2_000));
    const answer = await victim.registry.get('/token', {
      query: { service: 'any', scope: `repository:${repository}:pull,push` },
    });
    const { token } = expectStatus(answer, 200).json() as { token: string };
    const bearer = victim.registry.as(`Bearer ${token}`);
    const location = await beginUpload(bearer, repository);
    const half = blob.bytes.subarray(0, 1_000);
    const next = expectStatus(await sendChunk(victim.registry, location, half, 0), 202).location();
    const rest = blob.bytes.subarray(1_000);
    expectStatus(await closeUpload(bearer, next, blob.digest, rest), 201);
  });

  test('A5: a revoked token ends its own session within two seconds, in Basic and in Bearer', async () => {
    const { server, registry } = fixture;
    const leaver = await createTeamToken(server, registry, victims, 'write');
    const repository = `${victims.slug}/app/sessions`;
    const issued = await leaver.registry.get('/token', {
      query: { service: 'any', scope: `repository:${repository}:pull,push` },
    });
    const { token } = expectStatus(issued, 200).json() as { token: string };
    const callers = [leaver.registry, leaver.registry.as(`Bearer ${token}`)];
    const location = await beginUpload(leaver.registry, repository);
    for (const caller of callers) expectStatus(await caller.get(location), 204);
    await admin(server, 'token', 'revoke', leaver.tokenId);
    const deadline = Date.now() + 2_000;
    for (const caller of callers) {
      let answer = await caller.get(location);
      while (answer.status === 204 && Date.now() < deadline) answer = await caller.get(location);
      expectError(answer, 401, 'UNAUTHORIZED');
      expectError(await caller.ask('PATCH', location, { body: 'x' }), 401, 'UNAUTHORIZED');
      expectError(await caller.get(`/v2/${repository}/tags/list`), 401, 'UNAUTHORIZED');
    }
  });
});
