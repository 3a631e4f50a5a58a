/** People sign in with a browser, at a real OpenID provider and with tokens. */
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { noChromium, startChromium } from '../tools/chromium.ts';
import { client, startProvider, type TestProvider } from '../tools/provider.ts';
import { type Gantry, startGantry } from './harness.ts';
import { makeSandbox } from './support/sandbox.ts';

const accounts = {
  ada: { email: 'ada@example.com', email_verified: true, name: 'Ada' },
  // Says that it is Ada, and nobody has looked.
  mallory: { email: 'ada@example.com', email_verified: false },
  eve: { email: 'eve@elsewhere.example', email_verified: true },
};

interface Place {
  readonly gantry: Gantry;
  readonly provider: TestProvider;
  readonly browser: Browser;
}

const env = ({ issuer }: TestProvider) => ({
  GANTRY_SIGNIN_ISSUER: issuer,
  GANTRY_SIGNIN_CLIENT_ID: client.id,
  GANTRY_SIGNIN_CLIENT_SECRET: client.secret,
  GANTRY_SIGNIN_ALLOW: 'example.com',
});
const obstacle = noChromium();
const options = obstacle ? { skip: obstacle } : {};
const stack = new AsyncDisposableStack();
let place: Place;

describe('Signing in with Chromium', () => {
  if (!obstacle) {
    before(async () => {
      const sandbox = makeSandbox();
      stack.defer(() => sandbox.remove());
      const provider = await startProvider(accounts);
      stack.defer(() => provider.close());
      const gantry = await startGantry({
        folder: sandbox.fresh('server'),
        env: env(provider),
      });
      stack.defer(() => gantry.stop());
      provider.allow([`${gantry.bootstrap.url}/signin/callback`]);
      const browser = await startChromium();
      stack.defer(() => browser.close());
      place = { gantry, provider, browser };
    });
    after(() => stack.disposeAsync());
  }

  /** A browser that has been nowhere. */
  const fresh = async (work: (page: Page, context: BrowserContext) => Promise<void>) => {
    const context = await place.browser.newContext();
    context.setDefaultTimeout(20_000);
    try {
      await work(await context.newPage(), context);
    } finally {
      await context.close();
    }
  };
  const url = (path: string) => place.gantry.bootstrap.url + path;
  const cookieOf = async (context: BrowserContext) =>
    (await context.cookies(url('/'))).find(({ name }) => name === 'gantry_session');
  const me = async (context: BrowserContext) => {
    const answer = await context.request.get(url('/api/v1/me'));
    return { status: answer.status(), body: (await answer.json()) as Record<string, unknown> };
  };

  /** From our page through the provider's login and consent, and back. */
  async function signIn(page: Page, who: keyof typeof accounts, from = '/signin', at = url('')) {
    await page.goto(at + from);
    await page.getByRole('link', { name: /^Sign in with 127\.0\.0\.1/ }).click();
    await page.locator('input[name=login]').fill(who);
    await page.locator('input[name=password]').fill('any');
    await page.getByRole('button', { name: 'Sign-in' }).click();
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.waitForURL((now) => now.href.startsWith(at));
  }

  test('a person of an allowed domain gets an account, the same each time', options, async () => {
    let account: unknown;
    await fresh(async (page, context) => {
      await signIn(page, 'ada');
      assert.equal(await page.locator('#actor').textContent(), 'ada@example.com');
      const { status, body } = await me(context);
      assert.deepEqual([status, body.kind, body.grants], [200, 'session', []]);
      account = body.accountId;
      const cookie = await cookieOf(context);
      assert.deepEqual([cookie?.httpOnly, cookie?.sameSite], [true, 'Lax']);
      assert.equal(await page.evaluate('document.cookie'), '', 'no script reads it');
    });
    const { teamSlug } = place.gantry.bootstrap;
    const team = ['--team', teamSlug, '--account', 'ada@example.com', '--role', 'viewer'];
    await place.gantry.admin('member', 'add', ...team);
    await fresh(async (page, context) => {
      await signIn(page, 'ada', '/signin?return_to=/api/v1/docs');
      assert.equal(page.url(), url('/api/v1/docs'), 'where it was to go');
      const { body } = await me(context);
      assert.equal(body.accountId, account);
      assert.deepEqual(
        (body.grants as { team: string; actions: string[] }[]).map((g) => [g.team, g.actions]),
        [[teamSlug, ['pull']]],
      );
    });
  });

  test('signing out ends it, also for who kept the cookie', options, async () => {
    await fresh(async (page, context) => {
      await signIn(page, 'ada');
      const kept = await context.cookies();
      await page.getByRole('button', { name: 'Sign out' }).click();
      await page.getByRole('link', { name: /^Sign in with/ }).waitFor();
      assert.equal(await cookieOf(context), undefined);
      await context.addCookies(kept);
      assert.equal((await me(context)).status, 401);
    });
  });

  test('who may not join, and who only says to be somebody, gets nothing', options, async () => {
    for (const [who, shown] of [
      ['eve', 'eve@elsewhere.example'],
      ['mallory', 'mallory'],
    ] as const) {
      await fresh(async (page, context) => {
        await signIn(page, who);
        const said = await page.getByRole('alert').textContent();
        assert.match(said!, new RegExp(`You are ${shown} at .*no account`));
        assert.equal(await cookieOf(context), undefined);
        assert.equal((await me(context)).status, 401);
      });
    }
  });

  test('the way back is for the browser that went', options, async () => {
    await fresh(async (page, context) => {
      // Somebody else's code, or any: without what this browser kept it is nothing.
      const answer = await page.goto(url('/signin/callback?code=abc&state=def'));
      assert.equal(answer?.status(), 401);
      await page.goto(url('/signin/oidc'));
      await page.goto(url('/signin/callback?code=abc&state=def'));
      assert.match((await page.getByRole('alert').textContent())!, /was not accepted|refused/);
      assert.equal(await cookieOf(context), undefined);
    });
  });

  test('after signing in, no other origin', options, async () => {
    for (const path of ['//evil.example/x', 'https://evil.example', '/\\evil.example']) {
      await fresh(async (page) => {
        await signIn(page, 'ada', `/signin?return_to=${encodeURIComponent(path)}`);
        assert.equal(page.url(), url('/signin'), path);
      });
    }
  });

  test(
    'A28: a provider whose keys or discovery cannot be had lets nobody in',
    options,
    async () => {
      // Its own server: the other one has read them.
      const { provider } = place;
      const sandbox = makeSandbox();
      const other = await startGantry({ folder: sandbox.fresh('other'), env: env(provider) });
      const at = other.bootstrap.url;
      provider.allow([`${at}/signin/callback`]);
      try {
        await fresh(async (page, context) => {
          provider.broken.add('/.well-known/openid-configuration');
          const answer = await page.goto(`${at}/signin/oidc`);
          assert.equal(answer?.status(), 503);
          provider.broken.clear();
          provider.broken.add('/jwks');
          await signIn(page, 'ada', '/signin', at);
          assert.match((await page.getByRole('alert').textContent())!, /does not answer/);
          assert.equal(await cookieOf(context), undefined);
        });
      } finally {
        provider.broken.clear();
        provider.allow([url('/signin/callback')]);
        await other.stop();
        sandbox.remove();
      }
    },
  );

  test('a token signs in by the form; the page runs nothing', options, async () => {
    await fresh(async (page, context) => {
      const broken: string[] = [];
      page.on('console', (message) => broken.push(message.text()));
      await page.goto(url('/signin'));
      await page.getByLabel(/with a token/).fill('gnt_wrong');
      await page.getByRole('button', { name: 'Sign in' }).click();
      assert.match((await page.getByRole('alert').textContent())!, /not valid/);
      await page.getByLabel(/with a token/).fill(place.gantry.bootstrap.token);
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.locator('#actor').waitFor();
      assert.equal((await me(context)).body.actor, 'first-start');
      assert.deepEqual(
        broken.filter((line) => !line.includes('401')),
        [],
      );
    });
  });

  test("another site's page neither signs in nor changes anything", options, async () => {
    const { token } = place.gantry.bootstrap;
    const evil = await pageOf((path) =>
      path === '/login'
        ? form(url('/signin/token'), { token })
        : form(url('/signin/out'), { csrf: 'x' }),
    );
    try {
      await fresh(async (page, context) => {
        // Another name is another site.
        const at = `http://localhost:${(evil.address() as AddressInfo).port}`;
        await page.goto(`${at}/login`);
        await page.getByRole('button').click();
        await page.getByRole('alert').waitFor();
        assert.equal(await cookieOf(context), undefined);
        await signIn(page, 'ada');
        await page.goto(`${at}/logout`);
        await page.getByRole('button').click();
        await page.getByRole('alert').waitFor();
        assert.equal((await me(context)).status, 200);
      });
    } finally {
      evil.close();
      evil.closeAllConnections();
    }
  });
});

async function pageOf(html: (path: string) => string): Promise<Server> {
  const server = createServer((req, res) => {
    res.writeHead(200, { 'content-type': 'text/html' }).end(html(req.url ?? ''));
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  return server;
}

function form(action: string, fields: Readonly<Record<string, string>>): string {
  const inputs = Object.entries(fields).map(([n, v]) => `<input name="${n}" value="${v}">`);
  return `<form method="post" action="${action}">${inputs.join('')}<button>Go</button></form>`;
}
