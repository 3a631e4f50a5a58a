import assert from 'node:assert/strict';
import type { Role } from '../../ports/teams.ts';
import type { Token } from '../../ports/tokens.ts';
import type { Action } from '../../ports/trust-policies.ts';
import { newToken } from '../../projects/token-secret.ts';
import type { Ends } from '../http-test-kit.ts';
import { type Application, openApplication } from '../services-test-kit.ts';
import type { ApiServices } from './api-services.ts';
import { refusalsOf } from './openapi.ts';
import type { Route } from './route.ts';
import { apiRoutes } from './routes/index.ts';
import { validate } from './validate.ts';

const farAhead = Date.UTC(2100, 0, 1);

export interface ApiAnswer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers whose schema was checked.
  readonly body: any;
}

export interface ApiKit {
  readonly app: Application;
  /**
   * Calls the API as the holder of `secret` (anonymous without). Fails where the answer's status is not in
   * the route's document, or its body is not as its schema has it.
   */
  call(
    method: string,
    path: string,
    options?: { as?: string; body?: unknown; headers?: Record<string, string> },
  ): Promise<ApiAnswer>;
  account(id: string, more?: { operator?: boolean; role?: Role }): Promise<void>;
  /** A new token's secret. Of the world's team, scope admin, unless told. */
  token(of?: Partial<Token>): Promise<string>;
  /** A robot that may do just that in the team (or in projects of it): by an issued token of a policy. */
  robot(actions: readonly Action[], projectIds?: readonly string[]): Promise<string>;
}

export async function openApi(
  t: Ends,
  change?: (services: ApiServices) => Partial<ApiServices>,
): Promise<ApiKit> {
  const app = await openApplication(t, change);
  const { writer } = app.world.metadata;
  const routes = apiRoutes({ version: '0' });
  let made = 0;
  return {
    app,
    async call(method, path, { as, body, headers = {} } = {}) {
      const answer = await app.fetch(`/api/v1${path}`, {
        method,
        headers: {
          ...(as !== undefined && { Authorization: `Bearer ${as}` }),
          ...(body !== undefined && { 'Content-Type': 'application/json' }),
          ...headers,
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      const text = await answer.text();
      const parsed = text === '' ? undefined : (JSON.parse(text) as unknown);
      checkDocumented(routes, method, path, answer.status, parsed);
      return { status: answer.status, headers: answer.headers, body: parsed };
    },
    async account(id, { operator = false, role } = {}) {
      await writer.run('CreateAccount', { id, name: `name-of-${id}`, operator, createdAt: 0 });
      if (role) await writer.run('PutMember', { teamId: 'team_1', accountId: id, role });
    },
    async token(of = {}) {
      const { secret, hash } = newToken();
      const token: Token = {
        id: `tok_kit_${++made}`,
        name: `kit-${made}`,
        teamId: of.accountId === undefined ? 'team_1' : undefined,
        accountId: undefined,
        scope: 'admin',
        projectIds: undefined,
        createdAt: 0,
        expiresAt: undefined,
        revokedAt: undefined,
        lastUsedAt: undefined,
        ...of,
      };
      await writer.run('CreateToken', { token, hash });
      return secret;
    },
    async robot(actions, projectIds) {
      const id = ++made;
      const policy = {
        ...{ id: `pol_kit_${id}`, teamId: 'team_1', name: `kit-${id}`, createdAt: 0 },
        ...{ issuer: 'https://idp.example.com', audience: undefined, claims: { sub: ['x'] } },
      };
      await writer.run('CreateTrustPolicy', { ...policy, projectIds, actions });
      const { secret, hash } = newToken();
      const { issuer } = policy;
      const token = {
        ...{ id: `iss_kit_${id}`, teamId: 'team_1', name: 'x', createdAt: 0 },
        ...{ projectIds: undefined, actions: undefined, expiresAt: farAhead },
        credential: { type: 'oidc', policyIds: [policy.id], issuer, subject: 'x' } as const,
      };
      await writer.run('CreateIssuedToken', { token, hash });
      return secret;
    },
  };
}

/** What answers is in the document, and what it says has the schema that stands there. */
function checkDocumented(
  routes: readonly Route[],
  method: string,
  path: string,
  status: number,
  body: unknown,
): void {
  const own = path.split('?', 1)[0]!;
  const route = routes.find(
    (one) =>
      one.method === method &&
      new RegExp(`^${one.path.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(own),
  );
  assert.ok(route, `${method} ${own} is a route`);
  const reply = route.replies[status];
  if (!reply) {
    assert.ok(refusalsOf(route).includes(status), `${method} ${own}: ${status} is not documented`);
    assert.deepEqual(Object.keys(body as object).sort(), ['code', 'hint', 'message']);
  } else if (reply.schema) {
    validate(reply.schema, body, 'body');
  }
}
