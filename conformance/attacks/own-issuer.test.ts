/** The installation's own keys: it trusts what it signs itself, without asking itself, and its keys are rotated while it runs. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { expectStatus } from '../spec/check.ts';
import { basic } from '../spec/client.ts';
import { useServer } from '../spec/fixture.ts';
import { admin } from './principals.ts';

// Nothing inside may be called: its own address is loopback, too (A25).
const fixture = useServer();

const cli = (...args: string[]) => admin(fixture.server, ...args);
const anonymous = () => fixture.registry.as(undefined);
const bootstrap = () => fixture.server.bootstrap;
const trust = (name: string, issuer: string, ...claims: string[]) =>
  cli(
    ...['policy', 'create', '--team', bootstrap().teamSlug, '--name', name, '--issuer', issuer],
    ...claims.flatMap((claim) => ['--claim', claim]),
  );

async function ownToken(environment: string): Promise<string> {
  const { teamSlug, projectSlug, token } = bootstrap();
  const path = `/api/v1/teams/${teamSlug}/projects/${projectSlug}/oidc-token`;
  const answer = await fixture.registry.as(`Bearer ${token}`).ask('POST', path, {
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ environment }),
  });
  return (expectStatus(answer, 200).json() as { token: string }).token;
}
const login = (jwt: string) => anonymous().as(basic('oidc', jwt)).get('/token');
async function keyIds(): Promise<string[]> {
  const answer = expectStatus(await anonymous().get('/.well-known/jwks.json'), 200);
  return (answer.json() as { keys: { kid: string }[] }).keys.map(({ kid }) => kid);
}

describe('The registry as an issuer', () => {
  test('A25: it is trusted without a request, and that opens no other inner address', async () => {
    const { url, teamSlug, projectSlug } = bootstrap();
    await trust('own', url, `team=${teamSlug}`, 'environment=production');
    const good = await ownToken('production');
    expectStatus(await login(good), 200);
    // Of its own project, and of no policy: it pulls there, and pushes nothing.
    const preview = await ownToken('preview');
    expectStatus(await login(preview), 200);
    const pushing = anonymous().as(basic('oidc', preview));
    expectStatus(await pushing.ask('POST', `/v2/${teamSlug}/${projectSlug}/x/blobs/uploads/`), 403);
    const near = [
      `${url}/`,
      `${url}/x`,
      url.replace('127.0.0.1', 'localhost'),
      'http://127.0.0.1:1',
    ];
    for (const [at, issuer] of near.entries()) {
      await assert.rejects(trust(`near-${at}`, issuer, 'sub=x'), /https|inner|allow/i, issuer);
    }
  });

  test('a policy on it must say whose tokens are meant: every team here has some', async () => {
    const { url } = bootstrap();
    for (const claims of [['environment=production'], ['sub=**'], ['team=*'], ['sub=team:*:**']]) {
      await assert.rejects(trust('world', url, ...claims), /do not say whose/);
    }
  });

  test('its key is rotated while it runs: published, then signing; or at once', async () => {
    const before = await ownToken('production');
    const [first] = await keyIds();
    const rotation = (await cli('key', 'rotate', '--purpose', 'issuer')) as {
      id: string;
      signsAt: number;
    };
    assert.deepEqual(await keyIds(), [first, rotation.id]);
    assert.ok(rotation.signsAt > Date.now() + 23 * 3_600_000, 'a day for those who keep keys');
    expectStatus(await login(before), 200);
    expectStatus(await login(await ownToken('production')), 200);

    await cli('key', 'rotate', '--purpose', 'issuer', '--now');
    expectStatus(await login(before), 401);
    expectStatus(await login(await ownToken('production')), 200);
    assert.equal((await keyIds()).length, 1);
  });

  test('registry tokens of a key that was taken away are refused within 5 s, caches included', async () => {
    const issued = expectStatus(await fixture.registry.get('/token'), 200).json() as {
      token: string;
    };
    const client = fixture.registry.as(`Bearer ${issued.token}`);
    expectStatus(await client.get('/v2/'), 200);
    const since = performance.now();
    await cli('key', 'rotate', '--purpose', 'registry-token', '--now');
    while ((await client.get('/v2/')).status !== 401) {
      assert.ok(performance.now() - since < 5_000, 'still good after 5 s');
      await delay(50);
    }
    const again = expectStatus(await fixture.registry.get('/token'), 200).json() as {
      token: string;
    };
    expectStatus(await fixture.registry.as(`Bearer ${again.token}`).get('/v2/'), 200);
    const { keys } = (await cli('key', 'list')) as { keys: { purpose: string }[] };
    assert.ok(keys.some(({ purpose }) => purpose === 'registry-token'));
    assert.doesNotMatch(JSON.stringify(keys), /wrapped/);
    await assert.rejects(cli('key', 'rotate', '--purpose', 'sealing', '--now'), /--now/);
  });
});
