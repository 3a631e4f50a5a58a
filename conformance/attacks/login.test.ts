import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { expectError, expectStatus } from '../spec/check.ts';
import { type Answer, basic } from '../spec/client.ts';
import { useServer } from '../spec/fixture.ts';
import { createTeam, type Team } from './principals.ts';

let team: Team;

const fixture = useServer({
  async prepare({ server }) {
    team = await createTeam(server, 'lodgers');
  },
});

function get(username: string, password: string): Promise<Answer> {
  const registry = fixture.registry.as(basic(username, password));
  return registry.get('/token', { query: { service: 'any' } });
}

function post(fields: Record<string, string>): Promise<Answer> {
  return fixture.registry.as(undefined).ask('POST', '/token', {
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ service: 'any', client_id: 'test', ...fields }).toString(),
  });
}

describe('Login: tokens of teams, and the forms of the request', () => {
  const wrong = () => {
    const { teamId, token } = fixture.server.bootstrap;
    const flipped = token.at(-1) === 'a' ? 'b' : 'a';
    return [
      [teamId, ''],
      [teamId, 'gnt_'],
      [teamId, token.slice(0, -1)],
      [teamId, token.slice(0, -1) + flipped],
      [teamId, `${token}x`],
      [teamId, token.toUpperCase()],
      [teamId, ` ${token}`],
      [team.id, token],
      ['team_00000000000000000000000000000000', token],
      ['', token],
      ['oidc', token],
      ['admin', token],
      [fixture.server.bootstrap.teamSlug, token],
      ["' OR 1=1 --", token],
      [`${teamId}\u0000`, token],
      ['__proto__', 'constructor'],
    ] as const;
  };

  test('A24: a wrong team, a wrong token, a mangled one: 401, never 403 or 5xx', async () => {
    for (const [username, password] of wrong()) {
      expectStatus(await get(username, password), 401);
      expectStatus(await post({ grant_type: 'password', username, password }), 401);
      const direct = fixture.registry.as(basic(username, password));
      expectError(await direct.get('/v2/'), 401, 'UNAUTHORIZED');
    }
  });

  test('A24: a refresh token that is none is 401', async () => {
    for (const refresh_token of ['', 'x', 'gntr_x', 'null', 'a.b.c'])
      expectStatus(await post({ grant_type: 'refresh_token', refresh_token }), 401);
  });

  test('A24: forms that are broken, doubled or huge are 4xx', async () => {
    const type = 'application/x-www-form-urlencoded';
    const bodies: [string, string][] = [
      ['', type],
      ['grant_type', type],
      ['grant_type=magic', type],
      ['grant_type=password&grant_type=refresh_token', type],
      ['grant_type[a]=password&username[b][c]=x', type],
      ['grant_type=password&username=%zz&password=%00', type],
      [`grant_type=password&${'a=b&'.repeat(200)}`, type],
      [`grant_type=password&password=${'x'.repeat(200_000)}`, type],
      ['a[b]'.repeat(2_000), type],
      ['{"grant_type":"password"}', 'application/json'],
      ['--x\r\n\r\n', 'multipart/form-data; boundary=x'],
      ['\u0000\u0001', 'application/octet-stream'],
    ];
    for (const [body, contentType] of bodies) {
      const answer = await fixture.registry.as(undefined).ask('POST', '/token', {
        headers: { 'content-type': contentType },
        body,
      });
      expectStatus(answer, 400, 401, 413, 415);
    }
  });

  test('A24: scopes that are no scopes grant nothing, and are no errors', async () => {
    const { teamId, token } = fixture.server.bootstrap;
    const registry = fixture.registry.as(basic(teamId, token));
    for (const wanted of [
      'x',
      ':::',
      'repository:',
      'repository::pull',
      'repository:../../x:pull',
      'repository:a/b/c:*,*,*',
      `repository:${'a'.repeat(5_000)}:pull`,
      'registry:catalog:delete',
      'repository:a/b/c:pull repository:d/e/f:push',
      '\u0000',
      Array.from({ length: 200 }, (_, at) => `repository:a/b/c${at}:pull`).join(' '),
    ]) {
      const query = { service: 'any', scope: wanted };
      const answer = expectStatus(await registry.get('/token', { query }), 200);
      const issued = (answer.json() as { token: string }).token.split('.')[1]!;
      const { access = [] } = JSON.parse(Buffer.from(issued, 'base64url').toString()) as {
        access?: { type: string }[];
      };
      assert.deepEqual(
        access.filter(({ type }) => type === 'repository'),
        [],
        wanted.slice(0, 80),
      );
    }
  });
});
