/** A46: who may create and not push brings what is new, and changes nothing that is there. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { type Bundle, image } from '../spec/bundles.ts';
import { expectError, expectStatus } from '../spec/check.ts';
import { type Answer, basic, type Registry } from '../spec/client.ts';
import type { Content } from '../spec/content.ts';
import { useServer } from '../spec/fixture.ts';
import { pushBlob, pushBundle, putManifest } from '../spec/push.ts';
import { startIssuer, type TestIssuer } from '../tools/issuer.ts';
import {
  createPolicy,
  createTeam,
  createTeamToken,
  type Principal,
  type Team,
} from './principals.ts';

const audience = 'https://registry.example.test';

let issuer: TestIssuer | undefined;
let team: Team;
let owner: Principal;
let robot: Principal;

const fixture = useServer({
  env: { GANTRY_OUTBOUND_ALLOW: 'loopback' },
  async prepare({ server, registry }) {
    issuer = await startIssuer();
    team = await createTeam(server, 'careful');
    owner = await createTeamToken(server, registry, team, 'admin');
    robot = await createTeamToken(server, registry, team, 'create');
    await createPolicy(server, team, {
      ...{ issuer: issuer.url, audience, claims: { sub: ['org/app'] } },
      actions: ['pull', 'create'],
    });
  },
});
after(() => issuer?.close());

interface Creator {
  /** As docker logs in. */
  readonly login: string;
  /** At the API. */
  readonly bearer: string;
}

const creators: [string, () => Promise<Creator>][] = [
  [
    'a token of scope create',
    async () => ({ login: basic(team.id, robot.token), bearer: `Bearer ${robot.token}` }),
  ],
  [
    'a JWT under a trust policy with the action create',
    async () => {
      const jwt = await issuer!.sign({ sub: 'org/app', aud: audience });
      return { login: basic('oidc', jwt), bearer: `Bearer ${jwt}` };
    },
  ],
];

let places = 0;
/** A repository with an image `latest`, of which the test speaks, and a client as docker is one. */
async function settle({ login, bearer }: Creator) {
  const name = `${team.slug}/app/image-${++places}`;
  const first = image();
  await pushBundle(owner.registry, name, first, 'latest');
  const { registry } = fixture;
  const scope = `repository:${name}:pull,push,delete`;
  const answer = await registry.as(login).get('/token', { query: { service: 'any', scope } });
  const { token } = expectStatus(answer, 200).json() as { token: string };
  const base = `/api/v1/teams/${team.slug}/projects/app/repositories/image-${places}`;
  const api = (method: string, path: string, body?: object) =>
    registry.as(bearer).ask(method, `${base}${path}`, {
      ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
  return { name, first, wire: registry.as(`Bearer ${token}`), basic: registry.as(login), api };
}

/** Where each tag of the repository leads. */
async function tagsOf(name: string): Promise<Record<string, string>> {
  const { tags } = (await owner.registry.get(`/v2/${name}/tags/list`)).json() as { tags: string[] };
  const pairs = tags.map(async (tag) => {
    const { status, rawHeaders } = await owner.registry.head(`/v2/${name}/manifests/${tag}`);
    assert.equal(status, 200);
    const digest = rawHeaders.find(([key]) => key.toLowerCase() === 'docker-content-digest');
    return [tag, digest?.[1] ?? ''] as const;
  });
  return Object.fromEntries(await Promise.all(pairs));
}

async function pushBlobs(client: Registry, name: string, { blobs }: Bundle): Promise<void> {
  for (const blob of blobs) expectStatus(await pushBlob(client, name, blob), 201);
}

function expectDenied(answer: Answer, hint?: RegExp): void {
  expectError(answer, 403, 'DENIED');
  if (hint) assert.match(answer.text(), hint);
}

function expectDeniedByApi(answer: Answer, hint?: RegExp): void {
  const { code, hint: said } = expectStatus(answer, 403).json() as { code: string; hint: string };
  assert.equal(code, 'DENIED');
  if (hint) assert.match(said, hint);
}

for (const [title, sign] of creators) {
  describe(`A46: ${title}`, () => {
    test('pushes new tags, to repositories that are there and to new ones', async () => {
      const { name, first, wire } = await settle(await sign());
      const next = image();
      await pushBundle(wire, name, next, 'v2');
      const more = await putManifest(wire, name, next.top.digest, next.top, { tag: ['v3', 'v4'] });
      expectStatus(more, 201);
      // What points there already is not moved.
      expectStatus(await putManifest(wire, name, 'latest', first.top), 201);
      expectStatus(await putManifest(wire, name, 'v2', next.top), 201);
      assert.deepEqual(await tagsOf(name), {
        latest: first.top.digest,
        ...Object.fromEntries(['v2', 'v3', 'v4'].map((tag) => [tag, next.top.digest])),
      });
      const { login } = await sign();
      const fresh = `${name}-fresh`;
      await pushBundle(fixture.registry.as(login), fresh, image(), 'latest');
    });

    test('may not overwrite a tag, in whatever way', async () => {
      const { name, first, wire, basic: direct, api } = await settle(await sign());
      const next = image();
      await pushBlobs(wire, name, next);
      const { top } = next;
      const newTag = /new tag/;
      const put = (client: Registry, reference: string, tag: string[] = [], what: Content = top) =>
        putManifest(client, name, reference, what, { tag });
      for (const client of [wire, direct]) {
        expectDenied(await put(client, 'latest'), newTag);
        expectDenied(await put(client, top.digest, ['latest']), newTag);
        expectDenied(await put(client, top.digest, ['new', 'latest', 'newer']), newTag);
      }
      assert.deepEqual(await tagsOf(name), { latest: first.top.digest }, 'nothing half-made');
      const absent = await owner.registry.head(`/v2/${name}/manifests/${top.digest}`);
      assert.equal(absent.status, 404, 'nor the manifest');

      expectStatus(await put(wire, top.digest), 201);
      const moved = await api('PUT', '/tags/latest', { digest: top.digest });
      expectDeniedByApi(moved, newTag);
      expectStatus(await api('PUT', '/tags/newest', { digest: top.digest }), 201);
      assert.deepEqual(await tagsOf(name), { latest: first.top.digest, newest: top.digest });
    });

    test('may not delete, nor take a tag away to set it anew', async () => {
      const { name, first, wire, basic: direct, api } = await settle(await sign());
      const { digest } = first.top;
      const layer = first.blobs.at(-1)!.digest;
      for (const client of [wire, direct]) {
        for (const path of ['manifests/latest', `manifests/${digest}`, `blobs/${layer}`]) {
          expectDenied(await client.ask('DELETE', `/v2/${name}/${path}`));
        }
      }
      for (const path of ['/tags/latest', `/manifests/${digest}`, '']) {
        expectDeniedByApi(await api('DELETE', path));
      }
      expectDeniedByApi(await api('PATCH', '', { visibility: 'public' }));
      assert.deepEqual(await tagsOf(name), { latest: digest });
      expectStatus(await owner.registry.get(`/v2/${name}/blobs/${layer}`), 200);
    });

    test('is told so before a byte is sent', async () => {
      const { name } = await settle(await sign());
      const { bearer } = await sign();
      const check = (tags: string[]) =>
        fixture.registry.as(bearer).ask('POST', '/api/v1/check', {
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({
            ...{ repository: name, tags },
            manifest: image().top.bytes.toString(),
          }),
        });
      const refused = expectStatus(await check(['latest', 'v2']), 200).json();
      const { allowed, problems } = refused as { allowed: boolean; problems: { rule: string }[] };
      assert.deepEqual([allowed, problems.map(({ rule }) => rule)], [false, ['tag-overwrite']]);
      const fine = expectStatus(await check(['v2']), 200).json() as { allowed: boolean };
      assert.equal(fine.allowed, true);
    });
  });
}
