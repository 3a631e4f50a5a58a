import assert from 'node:assert/strict';
import test, { after, beforeEach } from 'node:test';
import { refuse } from '../oci/errors.ts';
import type { TrustPolicy } from '../ports/trust-policies.ts';
import { hour, openAuthKit, start } from './auth-test-kit.ts';
import { createLogin, type LoginResult } from './login.ts';
import type { OidcResult, OidcVerifier } from './oidc-verifier.ts';

const kit = await openAuthKit({ after });
const team = await kit.team();

let asked: unknown[] = [];
let used: string[] = [];
let result: () => OidcResult | Promise<OidcResult> = () => assert.fail('no JWT was sent');
const oidc: Pick<OidcVerifier, 'verify'> = {
  verify: async (jwt, options) => {
    asked.push([jwt, options?.teamId]);
    return result();
  },
};
const login = createLogin({
  identities: kit.identities,
  oidc,
  clock: kit.clock,
  used: (id) => used.push(id),
});
beforeEach(() => {
  asked = [];
  used = [];
});

function refusal(outcome: LoginResult): string {
  return 'refused' in outcome ? outcome.refused : assert.fail('was not refused');
}

test("a team's id and a token: the token's use is noted", async () => {
  const { id, secret } = await kit.token({ teamId: team.id });
  const outcome = await login(team.id, secret);
  assert.ok('identity' in outcome && outcome.identity.id === id);
  assert.deepEqual(used, [id]);
});

test('a login that is refused is no use', async () => {
  const { id, secret } = await kit.token({ teamId: team.id });
  await kit.metadata.writer.run('RevokeToken', { id, now: start });
  assert.match(refusal(await login(team.id, secret)), /revoked/);
  assert.match(refusal(await login(team.id, 'gnt_wrong')), /not valid for the team/);
  assert.deepEqual(used, []);
});

test('an empty password is said to be empty', async () => {
  for (const username of [team.id, 'oidc', 'oidc:team_1', ''])
    assert.match(refusal(await login(username, '')), /password is empty/);
});

test('A49: a username that is none is not said again: it may be the secret', async () => {
  const { secret } = await kit.token({ teamId: team.id });
  const usernames = [secret, 'hunter2', 'a"b', '', 'team', 'team_', 'team_é', 'OIDC', ' oidc'];
  const texts = new Set<string>();
  for (const username of usernames) texts.add(refusal(await login(username, 'some password')));
  assert.equal(texts.size, 1);
  assert.match([...texts][0]!, /^The username must be/);
});

test('where a JWT and its team are in the username and password', async () => {
  result = () => ({ ok: false, message: 'denied' }) as OidcResult;
  const cases: [string, string, string, string | undefined][] = [
    ['oidc', 'a.b.c', 'a.b.c', undefined],
    ['oidc:team_1', 'a.b.c', 'a.b.c', 'team_1'],
    // Basic credentials are split at the first colon.
    ['oidc', 'team_1:a.b.c', 'a.b.c', 'team_1'],
    ['oidc', 'team_1:a:b', 'a:b', 'team_1'],
    ['oidc', ':a.b.c', 'a.b.c', ''],
    ['oidc:', 'a.b.c', 'a.b.c', ''],
  ];
  for (const [username, password, jwt, teamId] of cases) {
    asked = [];
    assert.equal(refusal(await login(username, password)), 'denied');
    assert.deepEqual(asked, [[jwt, teamId]], `${username} ${password}`);
  }
});

test('a JWT that is accepted: the grants of its policies, until it expires', async () => {
  const projectIds = [team.projects.one];
  const policyId = await kit.policy({ teamId: team.id, projectIds, actions: ['pull'] });
  const policies: TrustPolicy[] = await kit.metadata.trustPolicies.findByIds([policyId]);
  const issuer = 'https://issuer.example';
  const expiresAt = start + hour;
  result = () => ({ ok: true, issuer, subject: 'who', policies, expiresAt });
  const outcome = await login('oidc', 'a.b.c');
  assert.ok('identity' in outcome);
  const { identity } = outcome;
  assert.equal(identity.actor, 'who');
  assert.equal(identity.expiresAt, expiresAt);
  assert.deepEqual(identity.grants, [{ teamId: team.id, projectIds, actions: ['pull'] }]);
  assert.deepEqual(used, []);
  const again = await kit.identities.byCredential(identity.credential!);
  assert.equal(again?.id, identity.id);
});

test('A28: where the issuer cannot be asked, the login fails rather than pass', async () => {
  result = () => Promise.reject(refuse('unavailable', 'no keys'));
  await assert.rejects(login('oidc', 'a.b.c'), { kind: 'unavailable' });
});
