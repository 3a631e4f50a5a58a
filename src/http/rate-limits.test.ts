import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createMemoryRateLimiter } from './memory-rate-limiter.ts';
import { addressKey, RateLimits } from './rate-limits.ts';
import { type Application, openApplication } from './services-test-kit.ts';

const off = { loginFailures: 0, token: 0, apiReads: 0, apiWrites: 0, manifests: 0, blobs: 0 };

function openWith(t: Parameters<typeof openApplication>[0], rates: Partial<typeof off>) {
  return openApplication(t, () => ({
    limits: new RateLimits({ ...off, ...rates }, createMemoryRateLimiter),
  }));
}

/** As draft-ietf-httpapi-ratelimit-headers-11 has them; Retry-After agrees with them. */
function expectLimited(answer: Response, name: string, quota: number): void {
  assert.equal(answer.status, 429);
  assert.equal(answer.headers.get('ratelimit-policy'), `"${name}";q=${quota};w=60`);
  const [, wait = ''] = /^"[a-z-]+";r=0;t=(\d+)$/.exec(answer.headers.get('ratelimit')!) ?? [];
  assert.equal(answer.headers.get('retry-after'), wait);
  assert.ok(Number(wait) >= 1 && Number(wait) <= 60, wait);
}

const basic = (username: string, password: string) => ({
  authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`,
});

describe('budgets', () => {
  test('of the API: reads and writes apart, by identity, in its error shape', async (t) => {
    const app = await openWith(t, { apiReads: 3, apiWrites: 1 });
    const [one, two] = [await app.token('read'), await app.token('read')];
    const me = (token: { basic: string }) =>
      app.fetch('/api/v1/me', { headers: { authorization: token.basic } });
    for (const left of [2, 1, 0]) {
      const answer = await me(one);
      assert.equal(answer.status, 200);
      assert.match(answer.headers.get('ratelimit')!, new RegExp(`^"api-reads";r=${left};t=\\d+$`));
    }
    const refused = await me(one);
    expectLimited(refused, 'api-reads', 3);
    const body = (await refused.json()) as { code: string; hint: string };
    assert.equal(body.code, 'TOO_MANY_REQUESTS');
    assert.match(body.hint, /Wait \d+ seconds/);
    assert.equal((await me(two)).status, 200);
    const write = () =>
      app.fetch('/api/v1/teams/acme/tokens', {
        ...{ method: 'POST', body: '{}' },
        headers: { authorization: one.basic, 'content-type': 'application/json' },
      });
    assert.notEqual((await write()).status, 429);
    expectLimited(await write(), 'api-writes', 1);
  });

  test("of /v2: manifests and blobs apart, in the spec's error shape", async (t) => {
    const app = await openWith(t, { manifests: 2, blobs: 1 });
    const { basic: authorization } = await app.token('read');
    const get = (path: string) =>
      app.fetch(`/v2/acme/shop/web/${path}`, { headers: { authorization } });
    await get('tags/list');
    assert.equal((await get('manifests/none')).status, 404);
    const refused = await get('manifests/none');
    expectLimited(refused, 'manifests', 2);
    const { errors } = (await refused.json()) as { errors: { code: string }[] };
    assert.equal(errors[0]!.code, 'TOOMANYREQUESTS');
    const blob = `blobs/sha256:${'0'.repeat(64)}`;
    assert.equal((await get(blob)).status, 404);
    expectLimited(await get(blob), 'blobs', 1);
    assert.equal((await app.fetch('/v2/', { headers: { authorization } })).status, 200);
  });

  test('of tokens, by address: both error shapes that clients read', async (t) => {
    const app = await openWith(t, { token: 2 });
    await app.fetch('/token');
    await app.fetch('/oauth/token', { method: 'POST', body: new URLSearchParams({ a: 'b' }) });
    const refused = await app.fetch('/token');
    expectLimited(refused, 'token', 2);
    const body = (await refused.json()) as { errors: { code: string }[]; error: string };
    assert.equal(body.errors[0]!.code, 'TOOMANYREQUESTS');
    const exchange = await app.fetch('/oauth/token', {
      method: 'POST',
      body: new URLSearchParams(),
    });
    expectLimited(exchange, 'token', 2);
    assert.equal(((await exchange.json()) as { error: string }).error, 'temporarily_unavailable');
  });

  test('that are off say nothing and refuse nothing', async (t) => {
    const app = await openWith(t, {});
    const { basic: authorization } = await app.token('read');
    const answer = await app.fetch('/api/v1/me', { headers: { authorization } });
    assert.equal(answer.headers.get('ratelimit'), null);
    assert.equal(answer.headers.get('ratelimit-policy'), null);
  });
});

describe('failed logins', () => {
  const doors: [
    string,
    (app: Application, headers: Record<string, string>) => Promise<Response>,
  ][] = [
    ['/v2', (app, headers) => app.fetch('/v2/', { headers })],
    ['/token', (app, headers) => app.fetch('/token', { headers })],
    ['/api/v1', (app, headers) => app.fetch('/api/v1/me', { headers })],
  ];
  for (const [name, knock] of doors)
    test(`at ${name}: a username is shut out after its quota, at every door; others are not`, async (t) => {
      const app = await openWith(t, { loginFailures: 3 });
      const good = await app.token('read');
      for (let tries = 0; tries < 3; tries++) {
        assert.equal((await knock(app, basic('team_1', `wrong ${tries}`))).status, 401);
      }
      for (const [, other] of doors) {
        expectLimited(await other(app, basic('team_1', 'wrong')), 'logins', 3);
        expectLimited(await other(app, { authorization: good.basic }), 'logins', 3);
        assert.equal((await other(app, basic('team_2', 'wrong'))).status, 401);
      }
      assert.equal((await app.fetch('/healthz')).status, 200);
    });

  test('of many usernames: the address is shut out', async (t) => {
    const app = await openWith(t, { loginFailures: 1 });
    for (let tries = 0; tries < 10; tries++) {
      assert.equal(
        (await app.fetch('/v2/', { headers: basic(`team_${tries + 10}`, 'x') })).status,
        401,
      );
    }
    expectLimited(await app.fetch('/v2/', { headers: basic('team_30', 'x') }), 'logins', 10);
  });

  test('of bearer tokens on the API count by token; logins that go well never do', async (t) => {
    const app = await openWith(t, { loginFailures: 2 });
    const good = await app.token('read');
    const me = (authorization: string) => app.fetch('/api/v1/me', { headers: { authorization } });
    for (let tries = 0; tries < 2; tries++)
      assert.equal((await me('Bearer gnt_wrong')).status, 401);
    assert.equal((await me('Bearer gnt_wrong')).status, 429);
    assert.equal((await me('Bearer gnt_other')).status, 401);
    for (let tries = 0; tries < 10; tries++)
      assert.equal((await me(`Bearer ${good.secret}`)).status, 200);
  });
});

test('IPv6 addresses count by /64, IPv4 ones for themselves, however they are written', () => {
  assert.equal(addressKey('2001:db8:1:2:3:4:5:6'), '2001:db8:1:2::/64');
  assert.equal(addressKey('2001:db8:1:2::1'), '2001:db8:1:2::/64');
  assert.equal(addressKey('2001:0db8:0001:0002::'), '2001:db8:1:2::/64');
  assert.equal(addressKey('2001:db8::1'), '2001:db8:0:0::/64');
  assert.equal(addressKey('::1'), '0:0:0:0::/64');
  assert.equal(addressKey('fe80::1%eth0'), 'fe80:0:0:0::/64');
  assert.equal(addressKey('192.0.2.7'), '192.0.2.7');
  assert.equal(addressKey('::ffff:192.0.2.7'), '192.0.2.7');
});

test('memory is bounded: of more keys than it holds, the oldest are forgotten', async () => {
  const limiter = createMemoryRateLimiter(2, 60, 100);
  for (let key = 0; key < 1_000; key++) await limiter.consume(`key ${key}`);
  assert.equal(await limiter.peek('key 0'), undefined);
  assert.equal((await limiter.peek('key 999'))?.remaining, 1);
  await limiter.consume('key 999');
  assert.equal((await limiter.consume('key 999')).allowed, false);
});
