/**
 * What was revoked is refused within five seconds, on every verb of the registry and every route of the API, whatever
 * was cached of it, and in the middle of a push.
 */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { image } from '../spec/bundles.ts';
import { expectStatus } from '../spec/check.ts';
import { basic, type Registry } from '../spec/client.ts';
import { content, fresh, uniqueBytes } from '../spec/content.ts';
import { useServer } from '../spec/fixture.ts';
import { beginUpload, octets, pushBundle } from '../spec/push.ts';
import { startIssuer, type TestIssuer } from '../tools/issuer.ts';
import { admin, createTeam, type Team } from './principals.ts';

const within = 5_000;
const audience = 'https://registry.example.test';

let team: Team;
let issuer: TestIssuer;
let policies = 0;

const fixture = useServer({
  env: { GANTRY_OUTBOUND_ALLOW: 'loopback' },
  async prepare({ server }) {
    issuer = await startIssuer();
    team = await createTeam(server, 'leavers');
  },
});
after(() => issuer?.close());

/** A login, and what ends it. */
interface Credential {
  readonly username: string;
  readonly password: string;
  revoke(): Promise<unknown>;
  /** What every route of the API says then; undefined: it is still somebody, who has no team. */
  readonly api: 401 | 403 | undefined;
}

const cli = (...args: string[]) =>
  admin(fixture.server, ...args) as Promise<{ id: string; token: string }>;

async function teamToken(): Promise<Credential> {
  const made = await cli('token', 'create', '--team', team.slug, '--scope', 'admin');
  const revoke = () => cli('token', 'revoke', made.id);
  return { username: team.id, password: made.token, revoke, api: 401 };
}

async function accountToken(name: string): Promise<Credential & { account: string }> {
  await cli('account', 'create', name);
  await cli('member', 'add', '--team', team.slug, '--account', name, '--role', 'admin');
  const made = await cli('token', 'create', '--account', name, '--scope', 'admin');
  const revoke = () => cli('token', 'revoke', made.id);
  return { username: team.id, password: made.token, revoke, api: 401, account: name };
}

async function policy(): Promise<{ id: string; sub: string }> {
  policies += 1;
  const sub = `repo:org/app${policies}`;
  const place = ['--team', team.slug, '--project', '*', '--name', `ci-${policies}`];
  const trust = ['--issuer', issuer.url, '--audience', audience, '--claim', `sub=${sub}`];
  const actions = ['--actions', 'pull,push,delete'];
  const { id } = await cli('policy', 'create', ...place, ...trust, ...actions);
  return { id, sub };
}

async function issuedToken(end: 'team' | 'holder' | 'policy'): Promise<Credential> {
  const { id: policyId, sub } = await policy();
  const form = {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    subject_token: await issuer.sign({ sub, aud: audience }),
  };
  const answer = expectStatus(await post('/oauth/token', form), 200);
  const made = answer.json() as { access_token: string; id: string; username: string };
  const revoke = async () => {
    if (end === 'policy') return cli('policy', 'delete', policyId);
    if (end === 'holder') return post('/oauth/revoke', { token: made.access_token });
    const manager = await teamToken();
    const path = `/api/v1/teams/${team.slug}/issued-tokens/${made.id}`;
    return expectStatus(await bearer(manager.password).delete(path), 204);
  };
  return { username: made.username, password: made.access_token, revoke, api: 401 };
}

async function jwtLogin(): Promise<Credential> {
  const { id, sub } = await policy();
  const password = await issuer.sign({ sub, aud: audience });
  // A genuine JWT that no policy takes: who it is, is known.
  return { username: 'oidc', password, revoke: () => cli('policy', 'delete', id), api: 403 };
}

const cases: Record<string, () => Promise<Credential>> = {
  "a team's token": teamToken,
  "a person's token": () => accountToken('ann'),
  'a member who is removed': async () => {
    const made = await accountToken('bob');
    const revoke = () => cli('member', 'remove', '--team', team.slug, '--account', made.account);
    return { ...made, revoke, api: undefined };
  },
  'an exchanged token, by the team': () => issuedToken('team'),
  'an exchanged token, by its holder': () => issuedToken('holder'),
  'an exchanged token whose policy is deleted': () => issuedToken('policy'),
  'a JWT whose policy is deleted': jwtLogin,
};

const bearer = (token: string) => fixture.registry.as(`Bearer ${token}`);
function post(path: string, form: Record<string, string>) {
  return fixture.registry.as(undefined).ask('POST', path, {
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(form).toString(),
  });
}

for (const [name, make] of Object.entries(cases)) {
  describe(`Revoked: ${name}`, () => {
    test('is refused on every verb within 5 s, caches included', async () => {
      const credential = await make();
      const { username, password } = credential;
      const repository = `${team.slug}/${team.project}/${fresh('revoked')}`;
      const direct = fixture.registry.as(basic(username, password));
      const query = {
        scope: [`repository:${repository}:pull,push,delete`, 'registry:catalog:*'],
        offline_token: 'true',
      };
      const login = expectStatus(await direct.get('/token', { query }), 200);
      const issued = login.json() as { token: string; refresh_token: string };
      const short = bearer(issued.token);
      const bundle = image();
      await pushBundle(direct, repository, bundle, 'latest');

      // Both are in the caches, and both have a push under way.
      for (const registry of [direct, short]) {
        expectStatus(await registry.get(`/v2/${repository}/manifests/latest`), 200);
      }
      const uploads = [await beginUpload(direct, repository), await beginUpload(short, repository)];

      const revokedAt = performance.now();
      await credential.revoke();
      for (const registry of [direct, short]) {
        for (;;) {
          const { status } = await registry.get(`/v2/${repository}/manifests/latest`);
          if (status !== 200) break;
          assert.ok(performance.now() - revokedAt < within, `good for over ${within} ms`);
          await delay(50);
        }
      }
      const manifest = bundle.manifests.at(-1)!;
      const blob = bundle.blobs[0]!;
      for (const [at, registry] of [direct, short].entries()) {
        await expectRefused(registry, repository, manifest, blob, uploads[at]!);
      }
      // No new tokens from it, nor from what it gave out.
      expectStatus(await direct.get('/token', { query }), 401);
      expectStatus(await post('/token', { grant_type: 'password', username, password }), 401);
      const { refresh_token } = issued;
      expectStatus(await post('/token', { grant_type: 'refresh_token', refresh_token }), 401);
      if (credential.api) await expectNoApi(password, credential.api);
      else await expectNoTeam(bearer(password));
      // Nothing of the walk was done.
      expectStatus(await fixtureManager(repository), 200);
    });
  });
}

/** Whether the image is as it was, asked by who may still ask. */
async function fixtureManager(repository: string) {
  const { username, password } = await teamToken();
  const registry = fixture.registry.as(basic(username, password));
  return registry.get(`/v2/${repository}/manifests/latest`);
}

async function expectRefused(
  registry: Registry,
  repository: string,
  manifest: { bytes: Uint8Array; digest: string; descriptor: { mediaType: string } },
  blob: { bytes: Uint8Array; digest: string },
  upload: string,
): Promise<void> {
  const base = `/v2/${repository}`;
  const put = {
    headers: { 'content-type': manifest.descriptor.mediaType },
    body: manifest.bytes,
  };
  const { digest, bytes } = content(uniqueBytes());
  const finish = `${upload}${upload.includes('?') ? '&' : '?'}digest=${digest}`;
  const requests: [string, string, Parameters<Registry['ask']>[2]?][] = [
    ['GET', '/v2/'],
    ['GET', '/v2/_catalog'],
    ['GET', `${base}/tags/list`],
    ['HEAD', `${base}/manifests/latest`],
    ['GET', `${base}/manifests/${manifest.digest}`],
    ['GET', `${base}/referrers/${manifest.digest}`],
    ['HEAD', `${base}/blobs/${blob.digest}`],
    ['GET', `${base}/blobs/${blob.digest}`],
    ['POST', `${base}/blobs/uploads/`],
    ['POST', `${base}/blobs/uploads/?mount=${blob.digest}`],
    ['POST', `${base}/blobs/uploads/?digest=${digest}`, { headers: octets, body: bytes }],
    ['GET', upload],
    ['PATCH', upload, { headers: octets, body: bytes }],
    ['PUT', finish, { headers: octets, body: bytes }],
    ['DELETE', upload],
    ['PUT', `${base}/manifests/other`, put],
    ['DELETE', `${base}/manifests/latest`],
    ['DELETE', `${base}/manifests/${manifest.digest}`],
    ['DELETE', `${base}/blobs/${blob.digest}`],
  ];
  for (const [method, path, options] of requests) {
    const answer = await registry.ask(method, path, options);
    assert.equal(answer.status, 401, `${answer.what}: ${answer.status} ${answer.text()}`);
  }
}

/** Every route of the document, whatever its path names. */
async function expectNoApi(token: string, status: number): Promise<void> {
  const document = await fixture.registry.as(undefined).get('/api/v1/openapi.json');
  const { paths } = document.json() as { paths: Record<string, Record<string, unknown>> };
  let routes = 0;
  for (const [path, methods] of Object.entries(paths)) {
    for (const method of Object.keys(methods)) {
      const target = path.replace('{team}', team.slug).replace(/\{\w+\}/g, 'x');
      const answer = await bearer(token).ask(method.toUpperCase(), target);
      assert.equal(answer.status, status, `${answer.what}: ${answer.status} ${answer.text()}`);
      routes += 1;
    }
  }
  assert.ok(routes >= 5, `only ${routes} routes`);
}

async function expectNoTeam(registry: Registry): Promise<void> {
  const me = expectStatus(await registry.get('/api/v1/me'), 200).json() as { grants: unknown[] };
  assert.deepEqual(me.grants, []);
  expectStatus(await registry.get(`/api/v1/teams/${team.slug}/issued-tokens`), 404);
}
