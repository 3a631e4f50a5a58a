import assert from 'node:assert/strict';
import test, { after, describe } from 'node:test';
import { openApplication } from './services-test-kit.ts';
import { returnToOf } from './sign-in-endpoints.ts';

const application = await openApplication({ after });
const { world, port, logged } = application;
const origin = `http://127.0.0.1:${port}`;
const { writer, sessions } = world.metadata;
const hour = 3_600_000;

interface Answered {
  readonly status: number;
  readonly body: Record<string, unknown>;
  /** Set by the answer; empty where it was taken away. */
  readonly cookie: string | undefined;
  readonly headers: Headers;
}
async function ask(
  method: string,
  path: string,
  options: { cookie?: string | undefined; headers?: Record<string, string>; json?: unknown } = {},
): Promise<Answered> {
  const { cookie, headers, json } = options;
  const response = await application.fetch(path, {
    method,
    redirect: 'manual',
    headers: {
      ...(cookie !== undefined && { cookie: `gantry_session=${cookie}` }),
      ...(json !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(json !== undefined && { body: JSON.stringify(json) }),
  });
  const text = await response.text();
  const set = response.headers
    .getSetCookie()
    .map((one) => /^gantry_session=([^;]*)/.exec(one)?.[1]);
  return {
    status: response.status,
    body: text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : { text },
    cookie: set.find((one) => one !== undefined),
    headers: response.headers,
  };
}
const own = { 'sec-fetch-site': 'same-origin' };

async function signedIn(secret: string) {
  const { status, body, cookie } = await ask('POST', '/api/v1/session', {
    json: { token: secret },
  });
  assert.equal(status, 201, JSON.stringify(body));
  assert.match(cookie!, /^gnts_/);
  return { cookie: cookie!, csrf: String(body.csrfToken), id: String(body.id) };
}

let people = 0;
async function person(role: 'developer' | 'admin' = 'admin') {
  const accountId = `acc_${++people}`;
  await writer.run('CreateAccount', { id: accountId, name: `person ${people}`, createdAt: 0 });
  await writer.run('PutMember', { teamId: 'team_1', accountId, role });
  const { sessions: browser } = application.services.cookies;
  const { secret, live } = await browser.open({ accountId }, { address: '::1', userAgent: 'kit' });
  return { accountId, cookie: secret, csrf: live.csrfToken, id: live.session.id };
}

describe('a session', () => {
  test('by a token: the cookie alone opens what the token does', async () => {
    const { secret, id: tokenId } = await application.token('read');
    const answer = await ask('POST', '/api/v1/session', { json: { token: secret } });
    assert.match(
      answer.headers.getSetCookie().join(),
      /^gantry_session=gnts_[\w-]{43}; Path=\/; Max-Age=86400; HttpOnly; SameSite=Lax$/,
    );
    const { cookie } = answer;
    const me = await ask('GET', '/api/v1/me', { cookie });
    assert.deepEqual([me.status, me.body.id], [200, tokenId]);
    const session = await ask('GET', '/api/v1/session', { cookie });
    assert.deepEqual(session.body, answer.body);
    assert.equal(session.body.idleAt, new Date(world.clock.now() + hour).toISOString());
    // What is stored is not what is sent.
    const stored = await sessions.findById(String(answer.body.id));
    assert.ok(stored && !JSON.stringify(stored).includes(cookie!.slice(5)));
  });

  test('of a person is that person, with all memberships as they are now', async () => {
    const { accountId, cookie } = await person();
    const me = await ask('GET', '/api/v1/me', { cookie });
    assert.deepEqual([me.body.kind, me.body.accountId], ['session', accountId]);
    assert.equal((me.body.grants as unknown[]).length, 1);
    await writer.run('RemoveMember', { teamId: 'team_1', accountId });
    assert.deepEqual((await ask('GET', '/api/v1/me', { cookie })).body.grants, []);
  });

  test('ends with its token', async () => {
    const { secret, id } = await application.token('read');
    const { cookie } = await signedIn(secret);
    await writer.run('RevokeToken', { id, now: world.clock.now() });
    assert.equal((await ask('GET', '/api/v1/me', { cookie })).status, 401);
  });

  test('ends when it rests, and when its time is over', async () => {
    const { cookie } = await person();
    const alive = async () => (await ask('GET', '/api/v1/me', { cookie })).status === 200;
    for (let passed = 0; passed < 24 * hour - 60_000; passed += hour - 60_000) {
      assert.ok(await alive(), `after ${passed} ms`);
      // The touch is written behind the answer.
      await writer.run('ForgetKeys', { keys: [] });
      world.pass(hour - 60_000);
    }
    assert.ok(!(await alive()), 'its day is over');
    const resting = await person();
    world.pass(hour);
    const { status } = await ask('GET', '/api/v1/me', { cookie: resting.cookie });
    assert.equal(status, 401);
    await person();
    assert.equal(await sessions.findById(resting.id), undefined, 'the row goes with the next');
  });

  test('is not one that was made up, or that the browser had before (fixation)', async () => {
    const { secret } = await application.token('read');
    for (const cookie of ['', 'x', `gnts_${'A'.repeat(43)}`, secret]) {
      assert.equal((await ask('GET', '/api/v1/me', { cookie })).status, 401, cookie);
    }
    const planted = `gnts_${'B'.repeat(43)}`;
    const first = await ask('POST', '/api/v1/session', {
      json: { token: secret },
      cookie: planted,
    });
    assert.notEqual(first.cookie, planted);
    assert.equal((await ask('GET', '/api/v1/me', { cookie: planted })).status, 401);
    const again = await ask('POST', '/api/v1/session', {
      ...{ json: { token: secret }, cookie: first.cookie },
      headers: { ...own, 'x-csrf-token': String(first.body.csrfToken) },
    });
    assert.equal(again.status, 201);
    assert.equal((await ask('GET', '/api/v1/me', { cookie: first.cookie })).status, 401);
  });

  test('is not made of a wrong token, nor of one of a CI job', async () => {
    logged.length = 0;
    for (const token of ['gnt_none', 'x', 'a.b.c']) {
      const { status, cookie } = await ask('POST', '/api/v1/session', { json: { token } });
      assert.deepEqual([status, cookie], [401, undefined]);
    }
    const denied = logged.filter(({ action, result }) => action === 'signIn' && result !== 'ok');
    assert.equal(denied.length, 3);
    assert.ok(!JSON.stringify(logged).includes('gnt_none'));
  });
});

describe('own sessions', () => {
  test('are listed and ended; others are not there', async () => {
    const [ann, bob] = [await person(), await person()];
    const second = await application.services.cookies.sessions.open(
      { accountId: ann.accountId },
      { address: undefined, userAgent: undefined },
    );
    const list = async (cookie: string) =>
      (await ask('GET', '/api/v1/sessions', { cookie })).body.items as Record<string, unknown>[];
    const items = await list(ann.cookie);
    assert.deepEqual(
      items.map(({ id, current }) => [id, current]),
      [
        [second.live.session.id, false],
        [ann.id, true],
      ],
    );
    const end = (who: { cookie: string; csrf: string }, id: string) =>
      ask('DELETE', `/api/v1/sessions/${id}`, {
        cookie: who.cookie,
        headers: { ...own, 'x-csrf-token': who.csrf },
      });
    assert.equal((await end(bob, ann.id)).status, 404);
    assert.equal((await end(ann, second.live.session.id)).status, 204);
    assert.equal((await ask('GET', '/api/v1/me', { cookie: second.secret })).status, 401);
    assert.equal((await list(ann.cookie)).length, 1);
    const out = await ask('DELETE', '/api/v1/session', {
      cookie: bob.cookie,
      headers: { ...own, 'x-csrf-token': bob.csrf },
    });
    assert.deepEqual([out.status, out.cookie], [204, '']);
    assert.equal((await ask('GET', '/api/v1/me', { cookie: bob.cookie })).status, 401);
  });
});

describe('forged requests', () => {
  test('a change needs the token of the session, from a page of the same origin', async () => {
    const { cookie, csrf } = await person();
    const other = await person();
    const cases: [Record<string, string>, string][] = [
      [{}, 'nothing'],
      [{ 'x-csrf-token': csrf }, 'no origin'],
      [own, 'no token'],
      [{ ...own, 'x-csrf-token': '' }, 'an empty token'],
      [{ ...own, 'x-csrf-token': other.csrf }, "another session's token"],
      [{ 'sec-fetch-site': 'cross-site', 'x-csrf-token': csrf }, 'another site'],
      [{ 'sec-fetch-site': 'same-site', 'x-csrf-token': csrf }, 'another host of the site'],
      [{ 'sec-fetch-site': 'none', 'x-csrf-token': csrf }, 'no page'],
      [{ 'sec-fetch-site': 'cross-site', origin, 'x-csrf-token': csrf }, 'both, at odds'],
      [{ origin: 'https://evil.example', 'x-csrf-token': csrf }, 'another origin'],
      [{ origin: 'null', 'x-csrf-token': csrf }, 'an opaque origin'],
      [{ origin: `${origin}.evil.example`, 'x-csrf-token': csrf }, 'a longer origin'],
    ];
    for (const [headers, what] of cases) {
      const { status, body } = await ask('DELETE', '/api/v1/session', { cookie, headers });
      assert.deepEqual([status, body.code], [403, 'DENIED'], what);
    }
    assert.equal((await ask('GET', '/api/v1/me', { cookie })).status, 200);
    const headers = { origin, 'x-csrf-token': csrf };
    assert.equal((await ask('DELETE', '/api/v1/session', { cookie, headers })).status, 204);
  });

  test('a page of another site signs nobody in', async () => {
    const { secret } = await application.token('read');
    for (const headers of [
      { 'sec-fetch-site': 'cross-site' },
      { origin: 'https://evil.example' },
      { origin: 'null' },
    ] as Record<string, string>[]) {
      const json = { token: secret };
      const { status, cookie } = await ask('POST', '/api/v1/session', { json, headers });
      assert.deepEqual([status, cookie], [403, undefined]);
      const form = await application.fetch('/signin/token', {
        ...{ method: 'POST', redirect: 'manual', headers },
        body: new URLSearchParams({ token: secret }),
      });
      assert.deepEqual([form.status, form.headers.getSetCookie()], [403, []]);
    }
    const plain = await application.fetch('/signin/token', {
      ...{ method: 'POST', redirect: 'manual' },
      body: new URLSearchParams({ token: secret }),
    });
    assert.equal(plain.status, 403, 'a form that does not say where it comes from');
  });

  test('a token in the header counts, whatever cookie comes with it', async () => {
    const { cookie } = await person();
    const { basic, id } = await application.token('read');
    const me = await ask('GET', '/api/v1/me', { cookie, headers: { authorization: basic } });
    assert.equal(me.body.id, id);
    const wrong = { authorization: 'Bearer gnt_wrong' };
    assert.equal((await ask('GET', '/api/v1/me', { cookie, headers: wrong })).status, 401);
  });
});

describe('the page', () => {
  const page = (path: string, init?: RequestInit) =>
    application.fetch(path, { redirect: 'manual', ...init });
  const send = (path: string, form: Record<string, string>, cookie?: string) =>
    page(path, {
      method: 'POST',
      headers: { origin, ...(cookie && { cookie: `gantry_session=${cookie}` }) },
      body: new URLSearchParams(form),
    });

  test('loads nothing, runs nothing, and is framed by nobody', async () => {
    const response = await page('/signin');
    assert.equal(response.status, 200);
    const policy = response.headers.get('content-security-policy')!;
    assert.match(policy, /default-src 'none'.*form-action 'self'.*frame-ancestors 'none'/);
    assert.equal(response.headers.get('cache-control'), 'no-store');
    const html = await response.text();
    assert.doesNotMatch(html, /<script|<img|<link|https?:\/\//);
    assert.doesNotMatch(html, /signin\/oidc/, 'no button without a provider');
    assert.equal((await page('/signin/oidc')).status, 404);
  });

  test('signs in with a token, goes where it should, and signs out', async () => {
    const { secret } = await application.token('read');
    const wrong = await send('/signin/token', { token: 'gnt_<b>wrong' });
    assert.equal(wrong.status, 401);
    assert.match(await wrong.text(), /role="alert"/);
    const done = await send('/signin/token', { token: ` ${secret}\n`, return_to: '/api/v1/docs' });
    assert.deepEqual([done.status, done.headers.get('location')], [303, '/api/v1/docs']);
    const cookie = /^gantry_session=([^;]+)/.exec(done.headers.getSetCookie().join())![1]!;
    const html = await (
      await page('/signin', { headers: { cookie: `gantry_session=${cookie}` } })
    ).text();
    assert.match(html, /You are signed in as <strong id="actor">name-of-tok_\d+</);
    const csrf = /name="csrf" value="([^"]+)"/.exec(html)![1]!;
    assert.equal((await send('/signin/out', { csrf: 'x' }, cookie)).status, 403);
    assert.equal((await send('/signin/out', { csrf }, cookie)).status, 303);
    assert.equal((await ask('GET', '/api/v1/me', { cookie })).status, 401);
  });

  test('leads to no other origin', async () => {
    for (const path of ['/', '/teams/acme?x=1#y', '/a//b', '/signin']) {
      assert.equal(returnToOf(path), path);
    }
    for (const path of [
      ...['//evil.example', '/\\evil.example', '\\\\evil.example', 'https://evil.example', 'evil'],
      ...['/\t/evil.example', '/\n/evil.example', ' /x', '', '/a\\b', '/\u0000', 'javascript:x'],
      ...[undefined, 1, ['/x'], `/${'x'.repeat(2000)}`, '/é'],
    ]) {
      assert.equal(returnToOf(path), '/signin', String(path));
    }
  });
});
