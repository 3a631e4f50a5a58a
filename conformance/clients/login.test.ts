/**
 * What `docker login` prints, the same with each engine: people see no more than this of a denial. The texts are in
 * goldens/; UPDATE_GOLDENS=1 writes them anew.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { TestIssuer } from '../tools/issuer.ts';
import { startIssuer } from '../tools/issuer.ts';
import { type Gantry, startGantry } from './harness.ts';
import { wrongToken } from './support/checks.ts';
import { type DockerEngine, docker20, docker29, startEngine } from './support/docker-engine.ts';
import { audience, trustedIssuer, trustedSubject } from './support/oidc.ts';
import { makeSandbox } from './support/sandbox.ts';
import { whySkipped } from './support/suite.ts';

interface Place {
  readonly gantry: Gantry;
  readonly engine: DockerEngine;
  /** Trusted by the first team. */
  readonly issuer: TestIssuer;
  /** Trusted for the jobs of a GitHub and a GitLab repository. */
  readonly jobs: TestIssuer;
  /** Trusted, too, but its keys cannot be read. */
  readonly broken: TestIssuer;
  /** Trusted by none. */
  readonly stranger: TestIssuer;
  /** Token of an account that is in the first team. */
  readonly member: string;
  /** Was a token of the first team. */
  readonly revoked: string;
  /** A team that has nothing to do with the first. */
  readonly otherTeamId: string;
}

type Attempt = (place: Place) => Promise<{ username: string; password: string }>;

const good = { sub: trustedSubject, aud: audience };
const oidc =
  (claims: Readonly<Record<string, unknown>>): Attempt =>
  async ({ issuer }) => ({ username: 'oidc', password: await issuer.sign({ ...good, ...claims }) });
const hourAgo = () => Math.floor(Date.now() / 1000) - 3600;

/** Such as token.actions.githubusercontent.com signs for a job on `main`, with names and ids in `sub`. */
const githubClaims = {
  sub: 'repo:acme@9919/web@1296269:ref:refs/heads/main',
  repository: 'acme/web',
  repository_id: '1296269',
  repository_owner: 'acme',
  repository_owner_id: '9919',
  ref: 'refs/heads/main',
  ref_type: 'branch',
  event_name: 'push',
  workflow_ref: 'acme/web/.github/workflows/ci.yml@refs/heads/main',
  run_id: '1',
};
/** Such as gitlab.com signs for `id_tokens` of a job on `main`. */
const gitlabClaims = {
  sub: 'project_path:group/app:ref_type:branch:ref:main',
  project_id: '278964',
  project_path: 'group/app',
  namespace_id: '72',
  namespace_path: 'group',
  user_login: 'ada',
  pipeline_source: 'push',
  ref: 'main',
  ref_type: 'branch',
  ref_protected: 'true',
};

async function trustJobs({ admin, bootstrap }: Gantry, { url }: TestIssuer): Promise<void> {
  const common = ['--team', bootstrap.teamSlug, '--issuer', url, '--audience', audience];
  const github = ['--claim', 'repository_id=1296269', '--claim', 'ref=refs/heads/main'];
  await admin('policy', 'create', ...common, '--name', 'github', ...github);
  const gitlab = ['--claim', 'project_id=278964', '--claim', 'ref_protected=true'];
  await admin('policy', 'create', ...common, '--name', 'gitlab', ...gitlab);
}

const jobToken = async (issuer: TestIssuer, claims: Readonly<Record<string, unknown>>) => ({
  username: 'oidc',
  password: await issuer.sign({ ...claims, aud: audience }),
});

/** What the server itself signs for an environment of the first project. */
async function ownToken({ admin, bootstrap }: Gantry) {
  const { url, teamSlug, projectSlug, token } = bootstrap;
  const policy = ['--team', teamSlug, '--name', 'own', '--issuer', url];
  await admin('policy', 'create', ...policy, '--claim', `sub=team:${teamSlug}:project:*:**`);
  const path = `/api/v1/teams/${teamSlug}/projects/${projectSlug}/oidc-token`;
  const answer = await fetch(url + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ environment: 'production' }),
  });
  const made = (await answer.json()) as { token: string };
  return { username: 'oidc', password: made.token };
}

const accepted: Record<string, Attempt> = {
  'a team token': async ({ gantry: { bootstrap } }) => ({
    username: bootstrap.teamId,
    password: bootstrap.token,
  }),
  'the token of a member': async ({ gantry: { bootstrap }, member }) => ({
    username: bootstrap.teamId,
    password: member,
  }),
  'an OIDC token': oidc({}),
  'a token of its own environments': ({ gantry }) => ownToken(gantry),
  "a GitHub job's token": ({ jobs }) => jobToken(jobs, githubClaims),
  "a GitLab job's token": ({ jobs }) => jobToken(jobs, gitlabClaims),
};

const denied: Record<string, Attempt> = {
  'wrong-token': async ({ gantry: { bootstrap } }) => ({
    username: bootstrap.teamId,
    password: wrongToken(bootstrap.token),
  }),
  'revoked-token': async ({ gantry: { bootstrap }, revoked }) => ({
    username: bootstrap.teamId,
    password: revoked,
  }),
  'not-a-member': async ({ member, otherTeamId }) => ({ username: otherTeamId, password: member }),
  'wrong-team': async ({ gantry: { bootstrap }, otherTeamId }) => ({
    username: otherTeamId,
    password: bootstrap.token,
  }),
  'wrong-username': async ({ gantry: { bootstrap } }) => ({
    username: 'alice',
    password: bootstrap.token,
  }),
  'expired-jwt': async (place) =>
    oidc({ iat: hourAgo(), nbf: hourAgo(), exp: hourAgo() + 300 })(place),
  'wrong-audience': oidc({ aud: 'https://elsewhere.example' }),
  'unknown-claim': oidc({ sub: 'repo:example/app-evil:ref:refs/heads/main' }),
  'unknown-issuer': async ({ stranger }) => ({
    username: 'oidc',
    password: await stranger.sign(good),
  }),
  'issuer-without-keys': async ({ broken }) => ({
    username: 'oidc',
    password: await broken.sign(good),
  }),
  'not-a-jwt': async () => ({ username: 'oidc', password: 'secret' }),
};

for (const release of [docker20, docker29]) {
  describe(`docker login with ${release.name}`, () => {
    const skip = whySkipped({ slow: true, obstacle: release.obstacle });
    const options = skip ? { skip } : {};
    let place: Place | undefined;
    const stack = new AsyncDisposableStack();
    if (!skip) {
      before(async () => {
        const sandbox = makeSandbox();
        stack.defer(() => sandbox.remove());
        const gantry = await startGantry({ folder: sandbox.fresh('server') });
        stack.defer(() => gantry.stop());
        const issuer = await trustedIssuer({ gantry });
        stack.defer(() => issuer.close());
        const jobs = await startIssuer();
        stack.defer(() => jobs.close());
        await trustJobs(gantry, jobs);
        const broken = await trustedIssuer({ gantry }, 'broken-ci');
        stack.defer(() => broken.close());
        broken.faults.jwks = { kind: 'status', status: 500 };
        const stranger = await startIssuer();
        stack.defer(() => stranger.close());
        const engine = await startEngine(release, sandbox);
        stack.defer(() => engine.stop());
        place = { gantry, engine, issuer, jobs, broken, stranger, ...(await makePeople(gantry)) };
      });
      after(() => stack.disposeAsync());
    }

    for (const [name, attempt] of Object.entries(accepted)) {
      test(`succeeds with ${name}`, options, async () => {
        const { code, stdout, stderr } = await login(place!, await attempt(place!));
        assert.equal(code, 0, stderr);
        assert.match(stdout, /^Login Succeeded$/m);
      });
    }
    for (const [name, attempt] of Object.entries(denied)) {
      test(`explains ${name}`, options, async () => {
        const { code, stdout, stderr } = await login(place!, await attempt(place!));
        assert.notEqual(code, 0);
        const golden = join(import.meta.dirname, 'goldens', `${name}.txt`);
        const said = normalised(stdout + stderr, place!);
        if (process.env.UPDATE_GOLDENS === '1') {
          writeFileSync(golden, said);
        }
        assert.ok(existsSync(golden), `${golden} is missing: run with UPDATE_GOLDENS=1`);
        assert.equal(said, readFileSync(golden, 'utf8'));
      });
    }
  });
}

function login({ engine, gantry }: Place, who: { username: string; password: string }) {
  const args = ['login', '-u', who.username, '--password-stdin', gantry.bootstrap.registry];
  return engine.attempt(args, { input: who.password });
}

async function makePeople(gantry: Gantry) {
  const admin = async (...args: string[]) => JSON.parse(await gantry.admin(...args, '--json'));
  const team = ['--team', gantry.bootstrap.teamSlug];
  const account = ['--account', 'ada@example.com'];
  const other = await admin('team', 'create', 'other-team');
  await admin('account', 'create', 'ada@example.com');
  await admin('member', 'add', ...team, ...account);
  const member = await admin('token', 'create', ...account, '--name', 'laptop');
  const revoked = await admin('token', 'create', ...team, '--name', 'old-ci');
  await admin('token', 'revoke', revoked.id);
  return { otherTeamId: other.id, member: member.token, revoked: revoked.token };
}

/** Without what differs from run to run. */
function normalised(
  text: string,
  { gantry, issuer, broken, stranger, otherTeamId }: Place,
): string {
  return text
    .replaceAll(issuer.url, '<issuer>')
    .replaceAll(broken.url, '<broken issuer>')
    .replaceAll(stranger.url, '<stranger>')
    .replaceAll(gantry.bootstrap.registry, '<registry>')
    .replaceAll(gantry.bootstrap.teamId, '<team>')
    .replaceAll(otherTeamId, '<other team>')
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, '<time>');
}
