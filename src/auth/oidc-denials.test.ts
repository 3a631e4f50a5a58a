import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type OidcSetup, policyFor, setUpOidc } from '../../conformance/tools/oidc-setup.ts';
import { generalDenial, nameTeamHint } from './oidc-verifier.ts';

/** Of a job on `main` of a repository whose subject has the form with ids. */
const githubClaims = {
  sub: 'repo:acme@11/app@22:ref:refs/heads/main',
  repository: 'acme/app',
  repository_id: '22',
  repository_owner: 'acme',
  repository_owner_id: '11',
  ref: 'refs/heads/main',
};

async function deny(
  { verifier, token }: OidcSetup,
  claims: Readonly<Record<string, unknown>>,
  teamId?: string,
) {
  const result = await verifier.verify(await token(claims), { teamId });
  assert.ok(!result.ok);
  return result;
}

test('a failed claim: policy, claim, pattern, value, and the command that allows it', async (t) => {
  const setup = await setUpOidc(t);
  const { issuer, policies } = setup;
  const denial = await deny(setup, { sub: 'org/app-evil' });
  assert.equal(
    denial.message,
    'The token is genuine, but no trust policy of team team_a accepts it. Closest is "ci": claim "sub" must match "org/app", but the token has "org/app-evil". ' +
      `If it should have access, an admin of the team allows it with: npx gantry admin policy create --team team_a --name ci-2 --issuer ${issuer.url} --claim sub=org/app-evil --actions pull,push`,
  );
  assert.deepEqual(denial.detail, {
    team: 'team_a',
    policies: [
      {
        policy: 'ci',
        claims: [{ claim: 'sub', expected: ['org/app'], received: 'org/app-evil' }],
      },
    ],
  });
  policies.push(policyFor(issuer.url, { name: 'far', claims: { sub: ['x'], role: ['y'] } }));
  const two = await deny(setup, { sub: 'org/app-evil' });
  assert.match(
    two.message,
    /Closest is "ci".* \(1 other of the team's policies fit less\.\) If it/,
  );
});

test('GitHub: the command names the repository by its id', async (t) => {
  const setup = await setUpOidc(t);
  const { issuer, policies } = setup;
  policies[0] = policyFor(issuer.url, {
    name: "dev's",
    audience: 'gantry',
    projectIds: ['prj_1'],
    actions: ['pull'],
    claims: { sub: ['repo:acme/other:**'], ref: ['refs/heads/main', 'refs/tags/v*'] },
  });
  const denial = await deny(setup, { ...githubClaims, aud: 'gantry' });
  assert.equal(
    denial.message,
    'The token is genuine, but no trust policy of team team_a accepts it. Closest is "dev\'s": claim "sub" must match "repo:acme/other:**", but the token has "repo:acme@11/app@22:ref:refs/heads/main". ' +
      `If it should have access, an admin of the team allows it with: npx gantry admin policy create --team team_a --name 'dev'\\''s-2' --issuer ${issuer.url} --audience gantry --claim ref=refs/heads/main --claim repository_id=22 --project prj_1 --actions pull`,
  );
});

test('a claim that the token lacks: where it comes from', async (t) => {
  const setup = await setUpOidc(t);
  const { issuer, policies } = setup;
  policies[0] = policyFor(issuer.url, { claims: { environment: ['production', 'staging'] } });
  const github = await deny(setup, githubClaims);
  assert.ok(
    github.message.endsWith(
      'Closest is "ci": claim "environment" must match "production" or "staging", but the token has no such claim. GitHub adds it to jobs that name one: set "environment:" on the job.',
    ),
    github.message,
  );
  const gitlab = await deny(setup, { project_path: 'a/b', namespace_path: 'a' });
  assert.match(gitlab.message, /GitLab adds it to jobs that name one/);
  const other = await deny(setup, {});
  assert.match(other.message, /See that the issuer puts it into its tokens/);
});

test('a wrong audience: expected, received, and how to request it', async (t) => {
  const setup = await setUpOidc(t);
  const { issuer, policies } = setup;
  const github = await deny(setup, { ...githubClaims, aud: 'https://github.com/acme' });
  assert.equal(
    github.message,
    'The token is genuine, but its audience ("aud") is "https://github.com/acme"; trust policy "ci" of team team_a expects "registry.example". ' +
      'Request it in the workflow with core.getIDToken("registry.example") of @actions/core (audience: "registry.example"); the job needs "permissions: id-token: write".',
  );
  const gitlab = await deny(setup, { project_path: 'a/b', namespace_path: 'a', aud: 'x' });
  assert.match(gitlab.message, /id_tokens: \{ GANTRY_ID_TOKEN: \{ aud: "registry\.example" \} \}/);
  const many = await deny(setup, { aud: ['registry.example', 'x'] });
  assert.match(many.message, /its "aud" is \["registry\.example","x"\], and exactly one/);
  const missing = await deny(setup, { aud: undefined });
  assert.match(missing.message, /it has no audience \("aud"\); .* Ask the issuer/);
  policies.push(policyFor(issuer.url, { audience: 'b' }));
  const two = await deny(setup, { aud: 'x' });
  assert.match(two.message, /expects "registry\.example" or "b"\./);
});

test('an expired or early token: when, the time now, and how to get another', async (t) => {
  const setup = await setUpOidc(t);
  const { clock, verifier, token } = setup;
  const messageLater = async (claims: Readonly<Record<string, unknown>>) => {
    const jwt = await token(claims);
    const result = await verifier.verify(jwt, { now: clock.time + 600_000 });
    assert.ok(!result.ok && result.reason === 'time');
    return result.message;
  };
  assert.equal(
    await messageLater(githubClaims),
    'The token expired at 2026-01-01T00:05:00Z; it is now 2026-01-01T00:10:00Z. Tokens of GitHub Actions last minutes: request one in the same step that logs in, and re-run the job.',
  );
  const gitlab = { project_path: 'a/b', namespace_path: 'a' };
  assert.match(await messageLater(gitlab), /Re-run the GitLab job/);
  assert.match(await messageLater({}), /Get a new token from the issuer right before the login\.$/);
  const early = await deny(setup, { nbf: clock.time / 1000 + 3600 });
  assert.match(
    early.message,
    /valid only from 2026-01-01T01:00:00Z; it is now 2026-01-01T00:00:00Z/,
  );
  const endless = await deny(setup, { exp: undefined });
  assert.match(endless.message, /its "exp" claim is missing\. Tokens without a plain end/);
});

test('with policies of several teams nothing is told until the team is named', async (t) => {
  const setup = await setUpOidc(t);
  setup.policies.push(policyFor(setup.issuer.url, { teamId: 'team_b', name: 'secret' }));
  for (const claims of [{ sub: 'x' }, { aud: 'x' }]) {
    assert.deepEqual(await deny(setup, claims), {
      ok: false,
      reason: 'team-unnamed',
      message: `${generalDenial}. ${nameTeamHint}`,
    });
    const named = await deny(setup, claims, 'team_a');
    assert.match(named.message, /team team_a/);
    assert.doesNotMatch(JSON.stringify(named), /team_b|secret/);
    assert.equal((await deny(setup, claims, 'team_c')).message, generalDenial);
  }
  assert.doesNotMatch(generalDenial + nameTeamHint, /127\.0\.0\.1|team_[a-z]|registry\.example/);
});

test("what a token says is shown harmlessly, and never as another's pattern or command", async (t) => {
  const setup = await setUpOidc(t);
  const quoted = await deny(setup, { sub: "a'; rm -rf / #$(x)" });
  assert.ok(
    quoted.message.includes(` --claim 'sub=a'\\''; rm -rf / #$(x)' --actions`),
    quoted.message,
  );
  for (const sub of ['org/**', 'a\u001b[2Jb', 'a\u202eb', 'a\nb', 'a\u009bb', 'x'.repeat(3000)]) {
    const { message } = await deny(setup, { sub });
    assert.match(message, /make a policy that fits: npx gantry admin policy create --help$/);
    assert.doesNotMatch(message, /[\p{C}\p{Zl}\p{Zp}]/u);
    assert.ok(message.length < 700, `${message.length} characters`);
  }
  const { detail } = await deny(setup, { sub: 'x'.repeat(3000) });
  assert.ok(JSON.stringify(detail).length < 700);
});
