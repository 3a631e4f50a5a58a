import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import Provider from 'oidc-provider';

/** Somebody with an account at the provider; the login form takes any password. */
export interface ProviderAccount {
  readonly email: string;
  readonly email_verified: boolean;
  readonly name?: string;
}

export const client = { id: 'gantry', secret: 'a secret of at least this length' } as const;

/** A real OpenID provider (npm's oidc-provider) on loopback, with its own login and consent pages. */
export interface TestProvider {
  readonly issuer: string;
  /** Registers the client; before that, and after it with other URIs, as often as is wanted. */
  allow(redirectUris: readonly string[]): void;
  /** Paths that are answered 503 while they are in here. */
  readonly broken: Set<string>;
  close(): Promise<void>;
}

/** `accounts`: by the name that is typed into the login form, which is the `sub`. */
export async function startProvider(
  accounts: Readonly<Record<string, ProviderAccount>>,
): Promise<TestProvider> {
  const broken = new Set<string>();
  let answer: RequestListener = (_req, res) => void res.writeHead(503).end();
  const server = createServer((req, res) => {
    const path = (req.url ?? '').split('?', 1)[0]!;
    if (broken.has(path)) res.writeHead(503).end();
    else answer(req, res);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    issuer,
    broken,
    allow(redirectUris) {
      const provider = new Provider(issuer, {
        clients: [
          {
            client_id: client.id,
            client_secret: client.secret,
            redirect_uris: [...redirectUris],
            grant_types: ['authorization_code'],
            response_types: ['code'],
          },
        ],
        claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
        cookies: { keys: ['of these tests'] },
        pkce: { required: () => true },
        findAccount: (_context: unknown, id: string) =>
          Object.hasOwn(accounts, id)
            ? { accountId: id, claims: () => ({ sub: id, ...accounts[id] }) }
            : undefined,
      });
      answer = provider.callback();
    },
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
