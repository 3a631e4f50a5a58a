import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { image } from '../spec/bundles.ts';
import { expectError, expectHeader, expectSame, expectStatus } from '../spec/check.ts';
import { type Answer, basic, type Registry } from '../spec/client.ts';
import { type Content, mediaTypes, unknownDigest } from '../spec/content.ts';
import { useServer } from '../spec/fixture.ts';
import { manifestStatus, pushBundle } from '../spec/push.ts';
import {
  admin,
  createTeam,
  createTeamToken,
  type Principal,
  publish,
  type Team,
} from './principals.ts';

let other: Team;
let stranger: Principal;

const fixture = useServer({
  async prepare({ server, registry }) {
    other = await createTeam(server, 'strangers');
    stranger = await createTeamToken(server, registry, other, 'admin');
  },
});

/** Everything that can be asked about a repository from outside, by name. */
async function askAll(
  registry: Registry,
  name: string,
  item: Content,
  blob: Content,
): Promise<Map<string, Answer>> {
  const manifest = { headers: { 'content-type': mediaTypes.manifest }, body: item.bytes };
  const uploads = `blobs/uploads/`;
  const requests: [string, string, Parameters<Registry['ask']>[2]?][] = [
    ['GET', 'manifests/latest'],
    ['HEAD', 'manifests/latest'],
    ['GET', `manifests/${item.digest}`],
    ['HEAD', `manifests/${item.digest}`],
    ['GET', `manifests/${unknownDigestOnce}`],
    ['GET', `blobs/${blob.digest}`],
    ['HEAD', `blobs/${blob.digest}`],
    ['GET', `blobs/${blob.digest}`, { headers: { range: 'bytes=0-9' } }],
    ['GET', 'tags/list'],
    ['GET', 'tags/list?n=1'],
    ['GET', 'tags/list?n=-1'],
    ['GET', `referrers/${item.digest}`],
    ['POST', uploads],
    ['POST', uploads, { query: { digest: blob.digest }, body: blob.bytes }],
    ['POST', uploads, { query: { mount: blob.digest } }],
    ['POST', uploads, { query: { mount: blob.digest, from: name } }],
    ['GET', `${uploads}upl_00000000-0000-7000-8000-000000000000`],
    ['PATCH', `${uploads}upl_00000000-0000-7000-8000-000000000000`, { body: 'x' }],
    ['PUT', 'manifests/latest', manifest],
    ['PUT', `manifests/${item.digest}`, manifest],
    ['PUT', 'manifests/latest', { ...manifest, body: '{' }],
    ['DELETE', 'manifests/latest'],
    ['DELETE', `manifests/${item.digest}`],
    ['DELETE', `blobs/${blob.digest}`],
  ];
  const answers = new Map<string, Answer>();
  for (const [method, path, options] of requests) {
    const answer = await registry.ask(method, `/v2/${name}/${path}`, options);
    answers.set(`${answers.size} ${method} ${path}`, answer);
  }
  return answers;
}

const unknownDigestOnce = unknownDigest();

interface Stage {
  readonly name: string;
  /** Brings it about. */
  enter(): Promise<unknown>;
}

/** What happens to `<slug>/app/secret` until it is a private repository with an image; its owner, at the end. */
function stages(slug: string): { list: Stage[]; owner: () => Principal } {
  const { server, registry } = fixture;
  const { top: _, ...bundle } = secret;
  let id = '';
  let owner: Principal | undefined;
  const list: Stage[] = [
    { name: 'absent, as is its team', enter: async () => {} },
    {
      name: 'absent, its team exists',
      enter: async () => {
        id = ((await admin(server, 'team', 'create', slug)) as { id: string }).id;
      },
    },
    {
      name: 'absent, its project exists',
      enter: () => admin(server, 'project', 'create', `${slug}/app`),
    },
    {
      name: 'private, with an image',
      enter: async () => {
        owner = await createTeamToken(server, registry, { id, slug }, 'admin');
        await pushBundle(owner.registry, `${slug}/app/secret`, bundle, 'latest');
      },
    },
  ];
  return { list, owner: () => owner! };
}

const secret = image();

describe('A1, A2: who has no grant sees nothing of what exists', () => {
  const cases: [string, string, () => Registry, (answer: Answer) => void][] = [
    [
      'A1: an anonymous caller',
      'hidden-one',
      () => fixture.registry.as(undefined),
      (answer) => {
        expectError(answer, 401, 'UNAUTHORIZED');
        expectHeader(answer, 'www-authenticate', /^Bearer realm="http[^"]+",service="[^"]+"/);
      },
    ],
    [
      "A2: another team's token",
      'hidden-two',
      () => stranger.registry,
      (answer) => {
        expectError(answer, 404, 'NAME_UNKNOWN');
      },
    ],
    [
      'A1: a wrong token',
      'hidden-three',
      () => fixture.registry.as(basic(other.id, 'gnt_0000000000000000000000000000000000')),
      (answer) => {
        expectError(answer, 401, 'UNAUTHORIZED');
      },
    ],
  ];
  for (const [name, slug, registryOf, expected] of cases)
    test(`${name}: the same answers for absent and private`, async () => {
      let first: Map<string, Answer> | undefined;
      const [blob] = secret.blobs;
      const { list, owner } = stages(slug);
      for (const { name: stage, enter } of list) {
        await enter();
        const answers = await askAll(registryOf(), `${slug}/app/secret`, secret.top, blob!);
        for (const answer of answers.values()) expected(answer);
        first ??= answers;
        for (const [what, answer] of answers)
          expectSame(first.get(what)!, answer, `${what} when it is ${stage}`);
      }
      for (const reference of ['latest', secret.top.digest])
        assert.equal(
          await manifestStatus(owner().registry, `${slug}/app/secret`, reference),
          200,
          'what was refused has changed nothing',
        );
    });

  test('A2: a Bearer token of the other team, asked for this very name', async () => {
    const name = 'hidden-two/app/secret';
    const answers: unknown[] = [];
    for (const wanted of [name, 'hidden-two/app/absent', 'nobody/app/secret']) {
      const answer = await stranger.registry.get('/token', {
        query: { service: 'any', scope: `repository:${wanted}:pull,push,delete` },
      });
      const { token } = expectStatus(answer, 200).json() as { token: string };
      const claims = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString());
      answers.push((claims as { access?: unknown }).access);
      const bearer = stranger.registry.as(`Bearer ${token}`);
      expectError(await bearer.get(`/v2/${wanted}/manifests/latest`), 404, 'NAME_UNKNOWN');
      expectError(await bearer.ask('POST', `/v2/${wanted}/blobs/uploads/`), 404, 'NAME_UNKNOWN');
    }
    assert.deepEqual(answers[1], answers[0]);
    assert.deepEqual(answers[2], answers[0]);
  });

  test('A2: the catalog names what the caller may see, and nothing else', async () => {
    const own = `${other.slug}/${other.project}/mine`;
    await pushBundle(stranger.registry, own, image(), 'latest');
    const seen = expectStatus(await stranger.registry.get('/v2/_catalog'), 200);
    assert.deepEqual(seen.json(), { repositories: [own] });
    const anonymous = await fixture.registry.as(undefined).get('/v2/_catalog');
    if (anonymous.status === 200) assert.deepEqual(anonymous.json(), { repositories: [] });
    else expectError(anonymous, 401, 'UNAUTHORIZED');
  });
});

describe('A1, A2: what is granted, and no more', () => {
  test('A1: a public repository is pulled by anyone, and pushed to by its own alone', async () => {
    const repository = `${other.slug}/${other.project}/open`;
    const { top, ...bundle } = image();
    await pushBundle(stranger.registry, repository, bundle, 'latest');
    await publish(fixture.server, repository);
    const manifest = { headers: { 'content-type': mediaTypes.manifest }, body: top.bytes };
    const { teamId, token } = fixture.server.bootstrap;
    for (const caller of [undefined, basic(teamId, token)]) {
      const registry = fixture.registry.as(caller);
      const got = await registry.get(`/v2/${repository}/manifests/latest`);
      assert.ok(expectStatus(got, 200).body.equals(top.bytes));
      for (const { bytes, digest } of bundle.blobs) {
        const blob = await registry.get(`/v2/${repository}/blobs/${digest}`);
        assert.ok(expectStatus(blob, 200).body.equals(bytes));
      }
      const refused = caller === undefined ? [401, 'UNAUTHORIZED'] : [403, 'DENIED'];
      const [status, code] = refused as [number, string];
      expectError(
        await registry.ask('PUT', `/v2/${repository}/manifests/x`, manifest),
        status,
        code,
      );
      expectError(await registry.ask('POST', `/v2/${repository}/blobs/uploads/`), status, code);
      expectError(await registry.delete(`/v2/${repository}/manifests/latest`), status, code);
    }
  });

  test('A2: a token of scope read pulls, and is told why it may not push', async () => {
    const repository = `${other.slug}/${other.project}/read`;
    const { top, ...bundle } = image();
    await pushBundle(stranger.registry, repository, bundle, 'latest');
    const reader = await createTeamToken(fixture.server, fixture.registry, other, 'read');
    expectStatus(await reader.registry.get(`/v2/${repository}/manifests/latest`), 200);
    const put = await reader.registry.ask('PUT', `/v2/${repository}/manifests/x`, {
      headers: { 'content-type': mediaTypes.manifest },
      body: top.bytes,
    });
    expectError(put, 403, 'DENIED');
    assert.match(put.text(), /write/);
    expectError(
      await reader.registry.ask('POST', `/v2/${repository}/blobs/uploads/`),
      403,
      'DENIED',
    );
    expectError(await reader.registry.delete(`/v2/${repository}/manifests/latest`), 403, 'DENIED');
    assert.equal(await manifestStatus(reader.registry, repository, 'latest'), 200);
  });

  test('A2: a token of one project does not see the other project of its team', async () => {
    const { server, registry } = fixture;
    await admin(server, 'project', 'create', `${other.slug}/second`);
    const repository = `${other.slug}/second/inner`;
    const { top, ...bundle } = image();
    await pushBundle(stranger.registry, repository, bundle, 'latest');
    const narrow = await createTeamToken(server, registry, other, 'admin', other.project);
    const seen = await askAll(narrow.registry, repository, top, bundle.blobs[0]!);
    const absent = await askAll(
      narrow.registry,
      `${other.slug}/third1/inner`,
      top,
      bundle.blobs[0]!,
    );
    for (const [what, answer] of seen) {
      expectError(answer, 404, 'NAME_UNKNOWN');
      expectSame(absent.get(what)!, answer, what);
    }
    expectStatus(
      await narrow.registry.ask('POST', `/v2/${other.slug}/app/own/blobs/uploads/`),
      202,
    );
  });
});
