import assert from 'node:assert/strict';
import test, { after, describe } from 'node:test';
import type { Role } from '../ports/teams.ts';
import type { RefreshCredential, TokenScope } from '../ports/tokens.ts';
import { hour, openAuthKit } from './auth-test-kit.ts';
import { oidcIdentity } from './credential-identities.ts';
import { hashSecret, type Lookup } from './identities.ts';

const kit = await openAuthKit({ after });
const { identities, metadata } = kit;

function identityOf(lookup: Lookup) {
  if ('refused' in lookup) assert.fail(lookup.refused);
  return lookup.identity;
}
function refusalOf(lookup: Lookup): string {
  return 'refused' in lookup ? lookup.refused : assert.fail('was not refused');
}

const byScope = {
  read: ['pull'],
  create: ['pull', 'create'],
  write: ['pull', 'create', 'push', 'deploy', 'functions'],
  admin: ['pull', 'create', 'push', 'delete', 'deploy', 'functions', 'manage'],
} as const;
const byRole = {
  viewer: byScope.read,
  developer: byScope.write,
  admin: byScope.admin,
  owner: byScope.admin,
} as const;

describe('a token of a team', () => {
  for (const scope of ['read', 'write', 'admin'] as const) {
    test(`of scope ${scope} may ${byScope[scope].join(', ')}`, async () => {
      const team = await kit.team();
      const { id, secret } = await kit.token({ teamId: team.id, scope });
      assert.deepEqual(identityOf(await identities.byTokenSecret(team.id, secret)), {
        id,
        kind: 'token',
        actor: `${id}-name`,
        grants: [{ teamId: team.id, projectIds: undefined, actions: byScope[scope] }],
        expiresAt: undefined,
        credential: { type: 'token', tokenId: id, teamId: team.id },
      });
    });
  }

  test('is narrowed to its projects', async () => {
    const team = await kit.team();
    const projectIds = [team.projects.two];
    const { secret } = await kit.token({ teamId: team.id, projectIds });
    const { grants } = identityOf(await identities.byTokenSecret(team.id, secret));
    assert.deepEqual(grants[0]?.projectIds, projectIds);
  });

  test('with another team as the username is refused, and the right one is named', async () => {
    const [own, other] = [await kit.team(), await kit.team()];
    const { secret } = await kit.token({ teamId: own.id });
    const refused = refusalOf(await identities.byTokenSecret(other.id, secret));
    assert.match(refused, /belongs to another team/);
    assert.ok(refused.includes(`--username ${own.id}`), refused);
  });

  test('that is not known is refused in one text, whether the team exists or not', async () => {
    const team = await kit.team();
    const known = refusalOf(await identities.byTokenSecret(team.id, 'gnt_no-such-token'));
    const unknown = refusalOf(await identities.byTokenSecret('team_none', 'gnt_no-such-token'));
    assert.equal(known.replaceAll(team.id, 'team_none'), unknown);
    assert.ok(!known.includes('gnt_no-such-token'));
  });

  test('that was revoked is refused by secret and by credential', async () => {
    const team = await kit.team();
    const { id, secret } = await kit.token({ teamId: team.id });
    const { credential } = identityOf(await identities.byTokenSecret(team.id, secret));
    assert.ok(await identities.byCredential(credential!));
    await metadata.writer.run('RevokeToken', { id, now: kit.clock.now() });
    assert.match(refusalOf(await identities.byTokenSecret(team.id, secret)), /was revoked/);
    assert.equal(await identities.byCredential(credential!), undefined);
  });

  test('stands until the very moment that it expires at', async () => {
    const team = await kit.team();
    const expiresAt = kit.clock.now() + hour;
    const { secret } = await kit.token({ teamId: team.id, expiresAt });
    const identity = identityOf(await identities.byTokenSecret(team.id, secret));
    assert.equal(identity.expiresAt, expiresAt);
    kit.pass(hour - 1);
    identityOf(await identities.byTokenSecret(team.id, secret));
    kit.pass(1);
    const refused = refusalOf(await identities.byTokenSecret(team.id, secret));
    assert.ok(refused.includes(new Date(expiresAt).toISOString()), refused);
    assert.equal(await identities.byCredential(identity.credential!), undefined);
  });

  test('a credential names both: the token with another team stands for nothing', async () => {
    const [own, other] = [await kit.team(), await kit.team()];
    const { id } = await kit.token({ teamId: own.id });
    for (const [tokenId, teamId] of [
      [id, other.id],
      ['tok_none', own.id],
    ] as const) {
      const credential = { type: 'token', tokenId, teamId } as const;
      assert.equal(await identities.byCredential(credential), undefined);
    }
  });
});

describe('a token of an account', () => {
  for (const role of ['viewer', 'developer', 'admin', 'owner'] as Role[]) {
    for (const scope of ['read', 'write', 'admin'] as TokenScope[]) {
      test(`of scope ${scope} in the hands of a ${role}: what both allow`, async () => {
        const team = await kit.team();
        const { secret } = await kit.token({
          accountId: await kit.account(team.id, role),
          scope,
        });
        const { grants } = identityOf(await identities.byTokenSecret(team.id, secret));
        const shorter = byRole[role].length < byScope[scope].length ? byRole[role] : byScope[scope];
        assert.deepEqual(grants, [{ teamId: team.id, projectIds: undefined, actions: shorter }]);
      });
    }
  }

  test('works for each team that the account is in, one at a time', async () => {
    const [first, second, foreign] = [await kit.team(), await kit.team(), await kit.team()];
    const accountId = await kit.account(first.id, 'viewer');
    const { id, secret } = await kit.token({ accountId });
    const member = { teamId: second.id, accountId, role: 'admin' } as const;
    await metadata.writer.run('PutMember', member);
    for (const [team, actions] of [
      [first, byScope.read],
      [second, byScope.write],
    ] as const) {
      const identity = identityOf(await identities.byTokenSecret(team.id, secret));
      assert.deepEqual(identity.grants, [{ teamId: team.id, projectIds: undefined, actions }]);
      assert.deepEqual(identity.credential, { type: 'token', tokenId: id, teamId: team.id });
    }
    const refused = refusalOf(await identities.byTokenSecret(foreign.id, secret));
    assert.match(refused, /not a member of the team/);
    const absent = refusalOf(await identities.byTokenSecret('team_none', secret));
    assert.equal(absent.replaceAll('team_none', foreign.id), refused);
  });

  test('follows the role, and ends with the membership', async () => {
    const team = await kit.team();
    const accountId = await kit.account(team.id, 'admin');
    const { secret } = await kit.token({ accountId, scope: 'admin' });
    const { credential } = identityOf(await identities.byTokenSecret(team.id, secret));
    const member = { teamId: team.id, accountId };
    await metadata.writer.run('PutMember', { ...member, role: 'viewer' });
    const narrowed = await identities.byCredential(credential!);
    assert.deepEqual(narrowed?.grants[0]?.actions, ['pull']);
    await metadata.writer.run('RemoveMember', member);
    assert.equal(await identities.byCredential(credential!), undefined);
    assert.match(refusalOf(await identities.byTokenSecret(team.id, secret)), /not a member/);
  });
});

describe('an OIDC login', () => {
  const credential = (policyIds: string[]): Extract<RefreshCredential, { type: 'oidc' }> => ({
    type: 'oidc',
    policyIds,
    issuer: 'https://issuer.example',
    subject: 'repo:acme/web',
  });

  test('has what its policies give, as long as they are there', async () => {
    const [first, second] = [await kit.team(), await kit.team()];
    const projectIds = [first.projects.one];
    const one = await kit.policy({ teamId: first.id, projectIds, actions: ['push'] });
    const two = await kit.policy({ teamId: second.id, actions: ['pull', 'delete'] });
    const login = credential([one, two, 'pol_none']);
    const identity = await identities.byCredential(login);
    assert.equal(identity?.kind, 'oidc');
    assert.equal(identity.actor, 'repo:acme/web');
    assert.deepEqual(identity.credential, login);
    assert.deepEqual(
      new Set(identity.grants),
      new Set([
        { teamId: first.id, projectIds, actions: ['push'] },
        { teamId: second.id, projectIds: undefined, actions: ['pull', 'delete'] },
      ]),
    );
    await metadata.writer.run('DeleteTrustPolicy', { id: one });
    const narrowed = await identities.byCredential(login);
    assert.deepEqual(
      narrowed?.grants.map(({ teamId }) => teamId),
      [second.id],
    );
    assert.equal(narrowed.id, identity.id, 'an upload that it began goes on');
    await metadata.writer.run('DeleteTrustPolicy', { id: two });
    assert.equal(await identities.byCredential(login), undefined);
  });

  test('is one identity an issuer and subject', () => {
    const id = (issuer: string, subject: string) =>
      oidcIdentity({ ...credential([]), issuer, subject }, []).id;
    assert.match(id('https://a', 'x'), /^oidc_[0-9a-f]{32}$/);
    assert.equal(id('https://a', 'x'), id('https://a', 'x'));
    assert.notEqual(id('https://a', 'x'), id('https://b', 'x'));
    assert.notEqual(id('https://a', 'x'), id('https://a', 'y'));
  });
});

test('a secret is known by its SHA-256', () => {
  assert.equal(
    hashSecret('abc'),
    'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  );
});
