import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { connectSocket } from '../../../src/cli/socket-client.ts';
import { image } from '../../spec/bundles.ts';
import { basic, Registry } from '../../spec/client.ts';
import { pushBundle } from '../../spec/push.ts';
import { type GantryServer, startServer } from '../../spec/server.ts';
import { startIssuer, type TestIssuer } from '../../tools/issuer.ts';
import { Asker } from './ask.ts';
import { browserHeaders } from './browser.ts';
import { browsers, type CallerName } from './callers.ts';

/** Where a request goes: each has a repository of the same name, with an image of its own. */
export interface Place {
  readonly team: string;
  readonly teamId: string;
  readonly project: string;
  readonly projectId: string;
  readonly repository: string;
  /** `team/project/repository` */
  readonly name: string;
  /** Of the image `latest`; `layer` is a blob of it. */
  readonly digest: string;
  readonly layer: string;
  /** Authorization of an owner of the team, for what a sample must make first. */
  readonly owner: string;
  /** Exchanges a JWT that the team trusts for a token; its id. */
  readonly exchange: () => Promise<string>;
  /** Pushes an image of its own into the repository; its digest. */
  readonly push: () => Promise<string>;
}

export interface World {
  readonly server: GantryServer;
  readonly asker: Asker;
  readonly own: Place;
  /** The same project, a public repository. */
  readonly open: Place;
  /** Another project of the same team. */
  readonly sibling: Place;
  readonly foreign: Place;
  /** Authorization on the API, and as a registry client logs in. */
  readonly api: Readonly<Record<CallerName, string | undefined>>;
  readonly registry: Readonly<Record<CallerName, string | undefined>>;
  /** By which that caller shows who it is on the API. */
  readonly headersOf: (caller: CallerName) => Promise<Readonly<Record<string, string>>>;
  close(): Promise<void>;
}

const audience = 'https://registry.example.test';

/** Everybody asks from one address, and often: a 429 would hide what is looked for. */
const env = {
  GANTRY_OUTBOUND_ALLOW: 'loopback',
  // The same answers on every machine, whether it has an engine or not.
  GANTRY_DOCKER_HOST: 'unix:///nonexistent/docker.sock',
  ...{ GANTRY_RATE_LOGIN_FAILURES: '0', GANTRY_RATE_TOKEN: '0' },
  ...{ GANTRY_RATE_API_READS: '0', GANTRY_RATE_API_WRITES: '0' },
};

/** A server with two teams, their images, and everybody in `callers`. */
export async function createWorld(): Promise<World> {
  // One a team: where policies of several concern a token, nothing of them is told.
  const issuers = [await startIssuer(), await startIssuer()];
  const server = await startServer({ env });
  const asker = new Asker(server.origin);
  try {
    return await settle(server, asker, issuers);
  } catch (error) {
    await end(server, asker, issuers);
    throw error;
  }
}

async function end(server: GantryServer, asker: Asker, issuers: TestIssuer[]): Promise<void> {
  asker.close();
  for (const issuer of issuers) await issuer.close();
  await server.stop();
}

async function settle(server: GantryServer, asker: Asker, issuers: TestIssuer[]): Promise<World> {
  const issuer = issuers[0]!;
  const call = <T>(method: string, params: unknown) => callAdmin<T>(server, method, params);
  const team = async (slug: string) => {
    const { id } = await call<{ id: string }>('team.create', { slug });
    await project(`${slug}/app`);
    return id;
  };
  const projectIds = new Map<string, string>();
  const project = async (path: string) => {
    projectIds.set(path, (await call<{ id: string }>('project.create', { project: path })).id);
  };
  const ownId = await team('own');
  await project('own/side');
  const foreignId = await team('foreign');

  const token = async (params: object) =>
    await call<{ id: string; token: string }>('token.create', params);
  const ofTeam = async (scope: string, more: object = {}) =>
    (await token({ team: 'own', scope, name: `token ${scope}`, ...more })).token;
  const ofAccount = async (name: string, slug?: string, role?: string, scope = 'admin') => {
    await call('account.create', { name });
    if (slug !== undefined) await call('member.add', { team: slug, account: name, role });
    return (await token({ account: name, scope, name: `token of ${name}` })).token;
  };

  const revoked = await token({ team: 'own', scope: 'admin', name: 'revoked' });
  await call('token.revoke', { token: revoked.id });
  const secrets = {
    wrong: `gnt_${'0'.repeat(revoked.token.length - 4)}`,
    revoked: revoked.token,
    expired: await ofTeam('admin', { expires: '1s', name: 'expired' }),
    'foreign-admin': (await token({ team: 'foreign', scope: 'admin', name: 'foreign' })).token,
    'foreign-owner': await ofAccount('mallory', 'foreign', 'owner'),
    narrowed: await ofTeam('admin', { projects: ['side'], name: 'narrowed' }),
    read: await ofTeam('read'),
    create: await ofTeam('create'),
    write: await ofTeam('write'),
    admin: await ofTeam('admin'),
    viewer: await ofAccount('vera', 'own', 'viewer'),
    developer: await ofAccount('dave', 'own', 'developer'),
    manager: await ofAccount('mary', 'own', 'admin'),
    owner: await ofAccount('olga', 'own', 'owner'),
    operator: await ofAccount('root'),
    'operator-read': '',
  } satisfies Partial<Record<CallerName, string>>;
  secrets['operator-read'] = (
    await token({ account: 'root', scope: 'read', name: 'reading' })
  ).token;
  await call('account.set-operator', { account: 'root', operator: true });

  await call('policy.create', {
    ...{ team: 'own', name: 'ci', actions: ['pull'], preset: 'generic' },
    options: { issuer: issuer.url, audience, claims: { sub: ['org/app'] } },
  });
  await call('policy.create', {
    ...{ team: 'foreign', name: 'ci', actions: ['pull'], preset: 'generic' },
    options: { issuer: issuers[1]!.url, audience, claims: { sub: ['org/app'] } },
  });
  const jwt = (sub: string, from = issuer) => from.sign({ sub, aud: audience, exp: soon() });
  const jwts = { 'ci-pull': await jwt('org/app'), 'unmatched-jwt': await jwt('org/app-evil') };

  const bearer = Object.entries({ ...secrets, ...jwts }).map(([n, s]) => [n, `Bearer ${s}`]);
  const login = [
    ...Object.entries(secrets).map(([name, secret]) => [
      name,
      basic(name.startsWith('foreign') ? foreignId : ownId, secret),
    ]),
    ...Object.entries(jwts).map(([name, secret]) => [name, basic('oidc', secret)]),
  ];
  const api = { none: undefined, ...Object.fromEntries(bearer) } as World['api'];
  const registry = { none: undefined, ...Object.fromEntries(login) } as World['registry'];

  const place = async (
    slug: 'own' | 'foreign',
    project: string,
    repository: string,
  ): Promise<Place> => {
    const name = `${slug}/${project}/${repository}`;
    const owner = slug === 'own' ? 'owner' : 'foreign-owner';
    const push = async (reference?: string) => {
      const bundle = image();
      const client = new Registry(server.origin, registry[owner]!);
      await pushBundle(client, name, bundle, reference).finally(() => client.close());
      return bundle;
    };
    const bundle = await push('latest');
    return {
      ...{ team: slug, teamId: slug === 'own' ? ownId : foreignId, project, repository, name },
      projectId: projectIds.get(`${slug}/${project}`)!,
      ...{ digest: bundle.top.digest, layer: bundle.blobs.at(-1)!.digest, owner: api[owner]! },
      push: async () => (await push()).top.digest,
      exchange: async () =>
        exchange(asker, slug, await jwt('org/app', issuers[slug === 'own' ? 0 : 1])),
    };
  };
  const world: World = {
    ...{ server, asker, api, registry },
    async headersOf(caller) {
      if (browsers.includes(caller)) return browserHeaders(asker, secrets.manager, caller);
      const authorization = api[caller];
      return authorization === undefined ? {} : { authorization };
    },
    own: await place('own', 'app', 'image'),
    open: await place('own', 'app', 'open'),
    sibling: await place('own', 'side', 'image'),
    foreign: await place('foreign', 'app', 'image'),
    close: () => end(server, asker, issuers),
  };
  await call('repository.visibility', { repository: world.open.name, visibility: 'public' });
  await untilRefused(world, 'expired');
  return world;
}

async function exchange(asker: Asker, team: string, jwt: string): Promise<string> {
  const form = new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    ...{ subject_token: jwt, team },
  });
  const { status, body } = await asker.ask({
    ...{ method: 'POST', target: '/oauth/token', body: form.toString() },
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  });
  assert.equal(status, 200, body);
  return (JSON.parse(body) as { id: string }).id;
}

const soon = (): number => Math.floor(Date.now() / 1000) + 3_000;

async function callAdmin<T>(server: GantryServer, method: string, params: unknown): Promise<T> {
  const socket = await connectSocket(server.dataFolder);
  assert.ok(socket, 'the admin socket of the server');
  try {
    return (await socket.call(method, params)) as T;
  } finally {
    socket.close();
  }
}

/** Its second passes by itself: what is waited for is the refusal. */
async function untilRefused({ asker, api }: World, caller: CallerName): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    const headers = { authorization: api[caller]! };
    if ((await asker.ask({ method: 'GET', target: '/api/v1/me', headers })).status === 401) return;
    await delay(100);
  }
  assert.fail(`the token of ${caller} is still taken`);
}
