import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { refuse } from '../oci/errors.ts';
import type { Identity } from '../ports/identity.ts';
import { hour, openAuthKit, type TokenOptions } from './auth-test-kit.ts';
import { type Authentication, Authenticator, parseBasic, type Session } from './authenticator.ts';

const basic = (username: string, password: string) =>
  `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;

/** The authenticator over a database, whose questions are counted and may fail. */
async function open(t: TestContext) {
  const kit = await openAuthKit(t);
  const team = await kit.team();
  const counted = { epochs: 0, identities: 0, logins: 0 };
  let down = false;
  const { identities } = kit;
  const byCredential = identities.byCredential.bind(identities);
  identities.byCredential = (credential) => {
    counted.identities += 1;
    return byCredential(credential);
  };
  const authenticator = new Authenticator({
    ...kit,
    login(username, password) {
      counted.logins += 1;
      return identities.byTokenSecret(username, password);
    },
    tokens: {
      ...kit.metadata.tokens,
      epoch() {
        if (down) throw refuse('unavailable', 'down');
        counted.epochs += 1;
        return kit.metadata.tokens.epoch();
      },
    },
  });
  const authenticate = async (header?: string): Promise<Authentication> =>
    authenticator.authenticate(header);
  const session = async (header: string): Promise<Session> => {
    const got = await authenticate(header);
    return 'failure' in got ? assert.fail(got.failure) : got;
  };
  const failure = async (header: string): Promise<string> => {
    const got = await authenticate(header);
    return 'failure' in got ? got.failure : assert.fail('was let in');
  };
  const credentials = async (options: Omit<TokenOptions, 'teamId'> = {}) => {
    const { id, secret } = await kit.token({ teamId: team.id, ...options });
    const lookup = await identities.byTokenSecret(team.id, secret);
    const identity: Identity = 'identity' in lookup ? lookup.identity : assert.fail();
    const issued = await kit.tokenService.issue(identity, []);
    return { id, identity, basic: basic(team.id, secret), bearer: `Bearer ${issued.token}` };
  };
  const revoke = (id: string) =>
    kit.metadata.writer.run('RevokeToken', { id, now: kit.clock.now() });
  const fail = (is: boolean) => {
    down = is;
  };
  return { ...kit, team, authenticator, session, failure, credentials, revoke, counted, fail };
}

test('no header: anonymous, without asking anybody', async (t) => {
  const { authenticator, counted } = await open(t);
  const got = authenticator.authenticate(undefined);
  assert.ok(!(got instanceof Promise) && 'identity' in got);
  assert.equal(got.identity.kind, 'anonymous');
  assert.equal(got.access, undefined);
  assert.equal(counted.epochs, 0);
});

test('Basic and Bearer: who, and what the token narrows that to', async (t) => {
  const { credentials, session, tokenService, repository, team } = await open(t);
  await repository(team.projects.one, 'web');
  const { basic: direct, identity } = await credentials();
  assert.deepEqual(await session(direct), { identity, access: undefined, expired: false });
  assert.deepEqual(await session(direct.replace('Basic', 'bAsIc  ')), await session(direct));
  const scope = `repository:${team.slug}/one/web:pull`;
  const { token, access } = await tokenService.issue(identity, [scope]);
  assert.deepEqual(await session(`Bearer ${token}`), { identity, access, expired: false });
  assert.equal(access.length, 1);
});

test('headers that are none of both', async (t) => {
  const { failure, team } = await open(t);
  const cases: [string, RegExp][] = [
    ['', /must be Basic or Bearer/],
    ['Basic', /must be Basic or Bearer/],
    ['Digest x', /must be Basic or Bearer/],
    ['Basic ', /malformed|must be/],
    ['Basic %%%', /malformed/],
    [`Basic ${Buffer.from('no colon').toString('base64')}`, /malformed/],
    [basic(team.id, 'gnt_wrong'), /not valid/],
    ['Bearer x', /registry token is not valid/],
    ['Bearer a.b.c', /registry token is not valid/],
  ];
  for (const [header, expected] of cases) assert.match(await failure(header), expected, header);
});

test('within an epoch a header is judged once, and then answered at once', async (t) => {
  const { credentials, session, authenticator, counted, pass } = await open(t);
  const { basic: direct, bearer } = await credentials();
  for (const header of [direct, bearer]) await session(header);
  const before = { ...counted };
  for (const header of [direct, bearer]) {
    assert.ok(!(authenticator.authenticate(header) instanceof Promise), 'no promise when cached');
    await session(header);
  }
  assert.deepEqual(counted, before);
  pass(500);
  for (const header of [direct, bearer]) await session(header);
  assert.equal(counted.epochs, before.epochs + 1, 'asked again, once for both');
});

test('what was revoked is out within 500 ms', async (t) => {
  const { credentials, session, failure, revoke, pass } = await open(t);
  const { id, basic: direct, bearer } = await credentials();
  for (const header of [direct, bearer]) await session(header);
  await revoke(id);
  pass(499);
  for (const header of [direct, bearer]) await session(header);
  pass(1);
  assert.match(await failure(direct), /revoked/);
  assert.match(await failure(bearer), /revoked or expired/);
});

test('a change of anything asks for all again, and who still stands goes on', async (t) => {
  const { credentials, session, revoke, pass, counted } = await open(t);
  const [other, { basic: direct, bearer }] = [await credentials(), await credentials()];
  for (const header of [direct, bearer]) await session(header);
  const before = { ...counted };
  await revoke(other.id);
  pass(500);
  for (const header of [direct, bearer]) await session(header);
  assert.equal(counted.identities, before.identities + 1);
  assert.equal(counted.logins, before.logins + 1);
});

test('a role that changed is seen', async (t) => {
  const { account, team, token, session, pass, metadata } = await open(t);
  const accountId = await account(team.id, 'developer');
  const header = basic(team.id, (await token({ accountId })).secret);
  assert.deepEqual((await session(header)).identity.grants[0]?.actions, [
    'pull',
    'create',
    'push',
    'deploy',
    'functions',
  ]);
  await metadata.writer.run('PutMember', { teamId: team.id, accountId, role: 'viewer' });
  pass(500);
  assert.deepEqual((await session(header)).identity.grants[0]?.actions, ['pull']);
});

test('where the database does not answer, nobody is let in', async (t) => {
  const { credentials, session, authenticator, fail, pass } = await open(t);
  const { basic: direct, bearer } = await credentials();
  for (const header of [direct, bearer]) await session(header);
  fail(true);
  pass(500);
  for (const header of [direct, bearer])
    await assert.rejects(async () => authenticator.authenticate(header), { kind: 'unavailable' });
  fail(false);
  for (const header of [direct, bearer]) await session(header);
});

test('a clock that is set back keeps nobody in', async (t) => {
  const { credentials, session, failure, revoke, pass } = await open(t);
  const { id, basic: direct, bearer } = await credentials();
  for (const header of [direct, bearer]) await session(header);
  await revoke(id);
  pass(-hour);
  for (const header of [direct, bearer]) assert.match(await failure(header), /revoked/);
});

test('a token ends at its time, within an epoch, too', async (t) => {
  const { credentials, session, failure, pass, clock } = await open(t);
  const { basic: direct, bearer } = await credentials({ expiresAt: clock.now() + 100 });
  for (const header of [direct, bearer]) await session(header);
  pass(100);
  assert.match(await failure(direct), /expired at/);
  assert.match(await failure(bearer), /revoked or expired/);
});

test('a registry token that has run out says who it was, and never comes from the cache', async (t) => {
  const { credentials, session, failure, revoke, pass, counted } = await open(t);
  const { id, bearer, identity } = await credentials();
  assert.equal((await session(bearer)).expired, false);
  pass(300_000);
  assert.deepEqual(await session(bearer), { identity, access: [], expired: true });
  const before = counted.identities;
  await session(bearer);
  assert.equal(counted.identities, before + 1);
  await revoke(id);
  assert.match(await failure(bearer), /revoked/);
});

test('Basic credentials are looked at each minute, so that their last use is known', async (t) => {
  const { credentials, session, counted, pass, clock } = await open(t);
  const { basic: direct } = await credentials({ expiresAt: clock.now() + 24 * hour });
  await session(direct);
  const before = counted.logins;
  for (let second = 0; second < 59; second++) {
    pass(1000);
    await session(direct);
  }
  assert.equal(counted.logins, before);
  pass(1000);
  await session(direct);
  assert.equal(counted.logins, before + 1);
});

test('what is remembered is bounded in bytes, however long the headers are', async (t) => {
  const { credentials, session, counted, authenticator } = await open(t);
  const { basic: direct } = await credentials();
  const spaced = (spaces: number) => direct.replace(' ', ' '.repeat(60_000 + spaces));
  for (let spaces = 0; spaces < 300; spaces++) await session(spaced(spaces));
  const before = counted.logins;
  assert.ok(!(authenticator.authenticate(spaced(299)) instanceof Promise));
  await session(spaced(0));
  assert.equal(counted.logins, before + 1, 'the first of them was forgotten');
});

test('the forms of Basic credentials', () => {
  const encode = (text: string) => Buffer.from(text).toString('base64');
  assert.deepEqual(parseBasic(encode('user:pass')), { username: 'user', password: 'pass' });
  assert.deepEqual(parseBasic(encode('u:p:q')), { username: 'u', password: 'p:q' });
  assert.deepEqual(parseBasic(encode(':')), { username: '', password: '' });
  assert.deepEqual(parseBasic(encode('ü:é')), { username: 'ü', password: 'é' });
  assert.deepEqual(parseBasic(Buffer.from('a:>>>???').toString('base64url')), {
    username: 'a',
    password: '>>>???',
  });
  for (const text of ['', '=', encode('none'), `${encode('a:b')} `, 'a b', `${encode('a:b')}===`])
    assert.equal(parseBasic(text), undefined, text);
});
