import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, describe, test } from 'node:test';
import { image } from '../spec/bundles.ts';
import { expectStatus } from '../spec/check.ts';
import { type Answer, basic } from '../spec/client.ts';
import { useServer } from '../spec/fixture.ts';
import { pushBundle } from '../spec/push.ts';
import {
  breakSignature,
  forgeCompressedJwe,
  forgeHmac,
  forgeUnsigned,
} from '../tools/forged-jwts.ts';
import { createIssuerKey, startIssuer, type TestIssuer } from '../tools/issuer.ts';
import { createPolicy, createTeam, type Team } from './principals.ts';

const audience = 'https://registry.example.test';
const subject = 'repo:org/app:ref:refs/heads/main';

let team: Team;
let issuer: TestIssuer;
/** Counts whoever is led to it. */
let lure: Server;
let lured = 0;

const fixture = useServer({
  env: { GANTRY_OUTBOUND_ALLOW: '127.0.0.1,localhost' },
  async prepare({ server }) {
    issuer = await startIssuer({ alg: 'RS256' });
    lure = createServer((_request, response) => {
      lured += 1;
      response.end('{}');
    }).listen(0, '127.0.0.1');
    team = await createTeam(server, 'lodgers');
    await createPolicy(server, team, {
      issuer: issuer.url,
      audience,
      claims: { sub: ['repo:org/app:**'] },
    });
  },
});
after(async () => {
  await issuer?.close();
  lure?.close();
});

const scope = () => `repository:${team.slug}/${team.project}/image:pull,push`;

function get(username: string, password: string): Promise<Answer> {
  const registry = fixture.registry.as(basic(username, password));
  return registry.get('/token', { query: { service: 'any', scope: scope() } });
}

function post(fields: Record<string, string>): Promise<Answer> {
  return fixture.registry.as(undefined).ask('POST', '/token', {
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({
      service: 'any',
      scope: scope(),
      client_id: 'test',
      ...fields,
    }).toString(),
  });
}

/** Refused at both forms of the token endpoint and at the API itself, and never by a failure. */
async function expectRefused(jwt: string, within = 5_000): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (const username of ['oidc', `oidc:${team.id}`]) {
    const started = performance.now();
    answers.push(await get(username, jwt));
    assert.ok(performance.now() - started < within, `took over ${within} ms`);
    answers.push(await post({ grant_type: 'password', username, password: jwt }));
    const direct = fixture.registry.as(basic(username, jwt));
    answers.push(await direct.get(`/v2/${team.slug}/${team.project}/image/tags/list`));
  }
  answers.push(await fixture.registry.as(`Bearer ${jwt}`).get('/v2/'));
  for (const answer of answers) {
    expectStatus(answer, 401);
    const [error] = (answer.json() as { errors: { code: string; message: string }[] }).errors;
    assert.equal(error?.code, 'UNAUTHORIZED');
    assert.ok((error?.message ?? '').length > 20, 'a text that a person can act on');
  }
  return answers;
}

const claims = () => ({ aud: audience, sub: subject });
const now = () => Math.floor(Date.now() / 1000);

describe('Login: what is accepted, so that what follows is refused for its own reason', () => {
  test('A14–A24: a right token signs in, pushes and pulls', async () => {
    const jwt = await issuer.sign(claims());
    for (const answer of [
      await get('oidc', jwt),
      await get(`oidc:${team.id}`, jwt),
      await post({ grant_type: 'password', username: 'oidc', password: jwt }),
    ]) {
      const { token, access_token, expires_in } = expectStatus(answer, 200).json() as {
        token: string;
        access_token: string;
        expires_in: number;
      };
      assert.equal(token, access_token);
      assert.ok(expires_in >= 60);
      const bearer = fixture.registry.as(`Bearer ${token}`);
      await pushBundle(bearer, `${team.slug}/${team.project}/image`, image(), 'latest');
    }
  });
});

describe('Login: forged tokens', () => {
  test('A14: alg none, in any spelling', async () => {
    const body = { iss: issuer.url, ...claims(), exp: now() + 300, iat: now() };
    for (const alg of ['none', 'None', 'NONE', 'nOnE', ''])
      await expectRefused(forgeUnsigned(body, alg));
    const [header, payload] = (await issuer.sign(claims())).split('.');
    await expectRefused(`${header}.${payload}.`);
    await expectRefused(`${header}.${payload}`);
  });

  test('A15: HS256 with the public key as its secret', async () => {
    const body = { iss: issuer.url, ...claims(), exp: now() + 300, iat: now() };
    await expectRefused(await forgeHmac(body, issuer.keys.at(-1)!));
  });

  test('A16: a key that the token brings along, or points to, is not asked', async () => {
    lured = 0;
    const url = `http://127.0.0.1:${(lure.address() as AddressInfo).port}/keys`;
    const own = await createIssuerKey('RS256', issuer.keys.at(-1)!.kid);
    for (const header of [
      { jwk: own.publicJwk },
      { jku: url },
      { x5u: url },
      { jku: url, kid: 'elsewhere' },
      { x5c: ['MIIB'] },
    ])
      await expectRefused(await issuer.sign(claims(), { key: own, header }));
    assert.equal(lured, 0, 'the URL in the token was fetched');
  });

  test('A17: the id of a known key, signed by another', async () => {
    const impostor = await createIssuerKey('RS256', issuer.keys.at(-1)!.kid);
    await expectRefused(await issuer.sign(claims(), { key: impostor }));
    await expectRefused(breakSignature(await issuer.sign(claims())));
  });

  test('A18: a compressed JWE is refused in under 50 ms', async () => {
    const bomb = forgeCompressedJwe(20_000_000);
    let best = Number.POSITIVE_INFINITY;
    for (let time = 0; time < 5; time++) {
      const started = performance.now();
      expectStatus(await get('oidc', bomb), 401);
      best = Math.min(best, performance.now() - started);
    }
    assert.ok(best < 50, `${best.toFixed(1)} ms at best`);
    await expectRefused(bomb);
  });

  test('A19: an audience that is another, one of many, or none', async () => {
    const wrong: unknown[] = [
      'https://other.example.test',
      `${audience}/`,
      audience.toUpperCase(),
      [audience, 'https://other.example.test'],
      ['https://other.example.test', audience],
      [],
      '',
      undefined,
      { [audience]: true },
      7,
    ];
    for (const aud of wrong) await expectRefused(await issuer.sign({ ...claims(), aud }));
  });

  test('A20: an issuer that looks like the one that is trusted, without asking it', async () => {
    lured = 0;
    issuer.resetRequests();
    const { port } = lure.address() as AddressInfo;
    const key = await createIssuerKey('RS256');
    for (const iss of [
      `${issuer.url}/`,
      issuer.url.toUpperCase(),
      issuer.url.replace('127.0.0.1', 'localhost'),
      `${issuer.url}#x`,
      `${issuer.url}?x`,
      `${issuer.url}/../x`,
      ` ${issuer.url}`,
      `${issuer.url}\u200b`,
      `http://127.0.0.1:${port}`,
      `${issuer.url}@127.0.0.1:${port}`,
      'file:///etc/passwd',
      '',
      undefined,
      [issuer.url],
    ]) {
      await expectRefused(await issuer.sign({ ...claims(), iss }, { key }));
      await expectRefused(await issuer.sign({ ...claims(), iss }));
    }
    assert.equal(lured, 0, 'another issuer was asked');
    assert.equal(issuer.requests.other, 0);
  });

  test('A21: expired, not yet valid, and without an end', async () => {
    for (const times of [
      { exp: now() - 120 },
      { exp: 0 },
      { exp: -1 },
      { exp: undefined },
      { exp: '9999999999' },
      { exp: null },
      { nbf: now() + 600, exp: now() + 900 },
      { exp: Number.MAX_VALUE, nbf: now() + 600 },
    ])
      await expectRefused(await issuer.sign({ ...claims(), ...times }));
  });

  test('A22: a subject that only begins like the pattern is refused, and told the pattern', async () => {
    for (const sub of [
      'repo:org/app-evil:ref:refs/heads/main',
      'repo:org/app',
      'xrepo:org/app:ref:refs/heads/main',
      'REPO:org/app:ref:refs/heads/main',
      '',
      ['repo:org/app:x'],
      undefined,
    ]) {
      const answers = await expectRefused(await issuer.sign({ ...claims(), sub }));
      if (typeof sub !== 'string' || sub === '') continue;
      const named = answers[3]!.text();
      assert.ok(named.includes('repo:org/app:**'), `the pattern is named: ${named}`);
      assert.ok(named.includes(sub), `what came is named: ${named}`);
    }
  });

  test('A23: 1,000 random key ids: 401, and the keys are fetched once at most', async () => {
    const quick = process.env.GANTRY_TEST_QUICK === '1';
    const strange = await createIssuerKey('RS256');
    issuer.resetRequests();
    const many = quick ? 100 : 1_000;
    let next = 0;
    const work = async () => {
      while (next < many) {
        const kid = `random-${next++}`;
        const jwt = await issuer.sign(claims(), { key: strange, header: { kid } });
        expectStatus(await get('oidc', jwt), 401);
      }
    };
    await Promise.all(Array.from({ length: 8 }, work));
    assert.ok(issuer.requests.jwks <= 1, `${issuer.requests.jwks} fetches of the keys`);
    assert.ok(issuer.requests.discovery <= 1, `${issuer.requests.discovery} discoveries`);
    expectStatus(await get('oidc', await issuer.sign(claims())), 200);
  });

  test('A24: garbage where a token should be', async () => {
    const jwt = await issuer.sign(claims());
    const [header = '', payload = '', signature = ''] = jwt.split('.');
    for (const garbage of [
      'x',
      '.',
      '..',
      '...',
      '....',
      'a.b.c',
      `${header}.${payload}.${signature}.${signature}`,
      `${header}..${signature}`,
      `.${payload}.${signature}`,
      `${Buffer.from('null').toString('base64url')}.${payload}.${signature}`,
      `${Buffer.from('[]').toString('base64url')}.${payload}.${signature}`,
      `${header}.${Buffer.from('null').toString('base64url')}.${signature}`,
      `${header}.${Buffer.from('"x"').toString('base64url')}.${signature}`,
      ` ${jwt.slice(1)}`,
      jwt.replaceAll('.', '\u0000'),
      'ü'.repeat(100),
      '9'.repeat(12_000),
      '{"a":'.repeat(2_000),
      '%00%ff',
    ])
      for (const answer of [
        await get('oidc', garbage),
        await post({ grant_type: 'password', username: 'oidc', password: garbage }),
      ])
        expectStatus(answer, 401);
  });
});
