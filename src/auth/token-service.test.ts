import assert from 'node:assert/strict';
import test, { after, describe } from 'node:test';
import type { Identity } from '../ports/identity.ts';
import { hour, openAuthKit, type TokenOptions } from './auth-test-kit.ts';
import { anonymous } from './authorizer.ts';
import { oidcIdentity } from './credential-identities.ts';
import { parseScope } from './token-service.ts';

const kit = await openAuthKit({ after });
const { tokenService: service, metadata } = kit;
const [team, foreign] = [await kit.team(), await kit.team()];
await kit.repository(team.projects.one, 'web');
await kit.repository(team.projects.one, 'open', 'public');
await kit.repository(team.projects.two, 'web');
await kit.repository(foreign.projects.one, 'web');
await kit.repository(foreign.projects.one, 'open', 'public');
const own = `${team.slug}/one`;
const theirs = `${foreign.slug}/one`;

async function holder(options: Omit<TokenOptions, 'teamId'>): Promise<Identity> {
  const { secret } = await kit.token({ teamId: team.id, ...options });
  const lookup = await kit.identities.byTokenSecret(team.id, secret);
  return 'identity' in lookup ? lookup.identity : assert.fail(lookup.refused);
}

/** What was granted, one `name:actions` each. */
async function granted(identity: Identity, ...scopes: string[]): Promise<string[]> {
  const { access } = await service.issue(identity, scopes);
  return access.map(({ type, name, actions }) => `${type}:${name}:${actions.join(',')}`);
}

describe('grants', () => {
  test('are what is asked for and allowed, and the rest is left out without an error', async () => {
    const reader = await holder({ scope: 'read' });
    const writer = await holder({ scope: 'write' });
    const admin = await holder({ scope: 'admin' });
    const narrow = await holder({ scope: 'admin', projectIds: [team.projects.two] });
    const all = 'pull,push,delete';
    const cases: [Identity, string, string | undefined][] = [
      [reader, `${own}/web:pull,push`, 'pull'],
      [reader, `${own}/web:push`, undefined],
      [writer, `${own}/web:pull,push`, 'pull,push'],
      [writer, `${own}/web:push,pull`, 'pull,push'],
      [writer, `${own}/web:push`, 'push'],
      [writer, `${own}/web:${all}`, 'pull,push'],
      [writer, `${own}/web:*`, 'pull,push'],
      [admin, `${own}/web:*`, all],
      [admin, `${own}/web:delete`, 'delete'],
      [admin, `${own}/web:pull,fly`, 'pull'],
      [admin, `${own}/web:fly`, undefined],
      [admin, `${own}/not-there-yet:push,pull`, 'pull,push'],
      [admin, `${team.slug}/three/web:pull`, undefined],
      [admin, `${theirs}/web:pull`, undefined],
      [admin, `${theirs}/absent:pull`, undefined],
      [admin, `${theirs}/open:*`, 'pull'],
      [narrow, `${own}/web:*`, undefined],
      [narrow, `${own}/open:*`, 'pull'],
      [narrow, `${team.slug}/two/web:*`, all],
      [anonymous, `${own}/web:pull`, undefined],
      [anonymous, `${own}/open:pull,push`, 'pull'],
      [anonymous, `${own}/absent:pull`, undefined],
    ];
    for (const [identity, scope, actions] of cases) {
      const name = scope.slice(0, scope.indexOf(':'));
      assert.deepEqual(
        await granted(identity, `repository:${scope}`),
        actions === undefined ? [] : [`repository:${name}:${actions}`],
        `${identity.actor} ${scope}`,
      );
    }
  });

  test('the catalog is for those who have something to list', async () => {
    const reader = await holder({ scope: 'read' });
    assert.deepEqual(await granted(reader, 'registry:catalog:*'), ['registry:catalog:*']);
    assert.deepEqual(await granted(reader, 'registry:other:*'), []);
    assert.deepEqual(await granted(anonymous, 'registry:catalog:*'), []);
  });

  test('several scopes, some of odd form: the good ones are granted', async () => {
    const writer = await holder({ scope: 'write' });
    const scopes = [
      '',
      'x',
      `repository:${own}/web`,
      `repository(plugin):${own}/web:pull`,
      `REPOSITORY:${own}/web:pull`,
      `repository:${own}/WEB:pull`,
      `repository:${own}/../one/web:pull`,
      'repository::pull',
      `repository:${own}/web:`,
      `repository:${theirs}/web:pull`,
      `repository:${own}/open:push`,
    ];
    assert.deepEqual(await granted(writer, ...scopes), [
      `repository:${own}/web:pull`,
      `repository:${own}/open:push`,
    ]);
  });

  test('no request asks for endless scopes', async () => {
    const writer = await holder({ scope: 'write' });
    const scopes = Array.from({ length: 500 }, (_, at) => `repository:${own}/r${at}:pull`);
    assert.equal((await granted(writer, ...scopes)).length, 64);
  });

  test('the token says just what was granted, and for whom', async () => {
    const writer = await holder({ scope: 'write' });
    const issued = await service.issue(writer, [`repository:${own}/web:pull,delete`]);
    const claims = await kit.registryTokens.verify(issued.token);
    assert.deepEqual(claims?.access, issued.access);
    assert.deepEqual(claims?.credential, writer.credential);
    assert.ok(issued.expiresIn >= 60, 'clients count on a minute at least');
    const nobody = await service.issue(anonymous, []);
    assert.equal((await kit.registryTokens.verify(nobody.token))?.credential, undefined);
  });
});

describe('refresh tokens', () => {
  test('stand for the login that they were made for, as it is now', async () => {
    const writer = await holder({ scope: 'write' });
    const secret = await service.issueRefresh(writer);
    assert.match(secret!, /^gntr_[A-Za-z0-9_-]{43}$/);
    assert.deepEqual(await service.byRefresh(secret!), writer);
    assert.notEqual(await service.issueRefresh(writer), secret);
  });

  test('are not for anonymous callers', async () => {
    assert.equal(await service.issueRefresh(anonymous), undefined);
  });

  test('that are none stand for nobody', async () => {
    const { id, secret } = await kit.token({ teamId: team.id });
    for (const text of ['', 'gntr_', 'gntr_x', id, secret])
      assert.equal(await service.byRefresh(text), undefined, text);
  });

  test('of a token stand 90 days', async () => {
    const secret = await service.issueRefresh(await holder({}));
    kit.pass(90 * 24 * hour - 1);
    assert.ok(await service.byRefresh(secret!));
    kit.pass(1);
    assert.equal(await service.byRefresh(secret!), undefined);
  });

  test('end with their token', async () => {
    const expiring = await holder({ expiresAt: kit.clock.now() + hour });
    const revoked = await holder({});
    const [one, two] = [await service.issueRefresh(expiring), await service.issueRefresh(revoked)];
    kit.pass(hour);
    assert.equal(await service.byRefresh(one!), undefined);
    assert.ok(await service.byRefresh(two!));
    await metadata.writer.run('RevokeToken', { id: revoked.id, now: kit.clock.now() });
    assert.equal(await service.byRefresh(two!), undefined);
  });

  test('end with the membership, and follow the role', async () => {
    const accountId = await kit.account(team.id, 'developer');
    const { secret } = await kit.token({ accountId });
    const lookup = await kit.identities.byTokenSecret(team.id, secret);
    assert.ok('identity' in lookup);
    const refresh = await service.issueRefresh(lookup.identity);
    const member = { teamId: team.id, accountId };
    await metadata.writer.run('PutMember', { ...member, role: 'viewer' });
    assert.deepEqual((await service.byRefresh(refresh!))?.grants[0]?.actions, ['pull']);
    await metadata.writer.run('RemoveMember', member);
    assert.equal(await service.byRefresh(refresh!), undefined);
  });

  test('of an OIDC login stand 12 hours, and no longer than its policy', async () => {
    const id = await kit.policy({ teamId: team.id, actions: ['pull'] });
    const login = { type: 'oidc', policyIds: [id], issuer: 'https://i', subject: 's' } as const;
    const identity = oidcIdentity(login, [
      { teamId: team.id, projectIds: undefined, actions: ['pull'] },
    ]);
    const [short, long] = [
      await service.issueRefresh(identity),
      await service.issueRefresh(identity),
    ];
    kit.pass(12 * hour - 1);
    assert.deepEqual(await service.byRefresh(short!), identity);
    await metadata.writer.run('DeleteTrustPolicy', { id });
    assert.equal(await service.byRefresh(long!), undefined, 'its policy is gone');
    kit.pass(1);
    assert.equal(await service.byRefresh(short!), undefined);
  });

  test('whose time is over are taken out of the database', async () => {
    const identity = await holder({});
    const secret = await service.issueRefresh(identity);
    kit.pass(90 * 24 * hour);
    await service.issueRefresh(identity);
    kit.pass(-90 * 24 * hour);
    assert.equal(await service.byRefresh(secret!), undefined);
  });
});

test('the forms of a scope', () => {
  const scope = (name: string, ...actions: string[]) => ({ type: 'repository', name, actions });
  const cases: [string, unknown][] = [
    ['repository:a/b/c:pull', scope('a/b/c', 'pull')],
    ['repository:a/b/c:pull,push', scope('a/b/c', 'pull', 'push')],
    ['repository(plugin):a/b/c:*', scope('a/b/c', '*')],
    ['repository:host:5000:pull', scope('host:5000', 'pull')],
    ['registry:catalog:*', { type: 'registry', name: 'catalog', actions: ['*'] }],
    ['repository:a/b/c:', undefined],
    ['repository:a/b/c', undefined],
    ['repository:a b:pull', undefined],
    ['repository:a:b:pull', undefined],
    ['repository:a/b/c:PULL', undefined],
    [`repository:${'a'.repeat(256)}:pull`, undefined],
    [`repository:a/b/c:${'pull,'.repeat(20)}`, undefined],
    ['other:a/b/c:pull', undefined],
    ['repository:a/b/c:pull\n', undefined],
    ['', undefined],
  ];
  for (const [text, expected] of cases) assert.deepEqual(parseScope(text), expected, text);
});
