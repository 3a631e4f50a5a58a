import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';

/** What an endpoint does in place of its answer. */
export type IssuerFault =
  | { readonly kind: 'status'; readonly status: number }
  /** Takes the request and never answers. */
  | { readonly kind: 'hang' }
  /** Cuts the connection before any byte of an answer. */
  | { readonly kind: 'reset' }
  /** Promises the whole body, sends half of it and cuts the connection. */
  | { readonly kind: 'truncate' }
  | { readonly kind: 'redirect'; readonly location: string }
  /** 200 with these bytes. */
  | { readonly kind: 'body'; readonly body: string };

export interface IssuerKey {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: CryptoKey;
  readonly publicJwk: JWK;
}

export interface SignOptions {
  /** The key that signs; the newest published one unless given. */
  readonly key?: IssuerKey | undefined;
  /** Added to the protected header; `kid: undefined` takes the key id out. */
  readonly header?: Readonly<Record<string, unknown>>;
}

/** An OpenID Connect issuer on loopback: discovery and JWKS, with counters and faults. */
export interface TestIssuer {
  /** The `iss` of its tokens, such as `http://127.0.0.1:41234`. */
  readonly url: string;
  /** Requests that reached it since the start or the last `resetRequests`. */
  readonly requests: { discovery: number; jwks: number; other: number };
  /** Set a member to break that endpoint, unset it to heal it. */
  readonly faults: { discovery?: IssuerFault | undefined; jwks?: IssuerFault | undefined };
  /** Laid over the discovery document, such as `{ issuer: 'https://other.example' }`. */
  readonly discoveryOverrides: Record<string, unknown>;
  /** The published keys, newest last. */
  readonly keys: readonly IssuerKey[];
  resetRequests(): void;
  /**
   * A token with `iss`, `sub`, `iat`, `nbf` and `exp` (five minutes) of its own; `claims` are laid over
   * them, and a claim given as undefined is left out.
   */
  sign(claims?: Readonly<Record<string, unknown>>, options?: SignOptions): Promise<string>;
  /** Publishes a new key and signs with it from now on; the older ones are withdrawn unless kept. */
  rotate(options?: { alg?: string; keepOld?: boolean }): Promise<IssuerKey>;
  close(): Promise<void>;
}

export interface IssuerOptions {
  /** Of the first key; ES256 unless given. */
  readonly alg?: string;
  /** Path of the issuer below its origin, such as `/realms/a`. */
  readonly path?: string;
  /** Seconds since 1970; the machine's clock unless given. */
  readonly now?: () => number;
}

let madeKeys = 0;

/** A signing key that no issuer publishes until it is given to one. */
export async function createIssuerKey(alg = 'ES256', kid?: string): Promise<IssuerKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg);
  madeKeys += 1;
  const id = kid ?? `key-${madeKeys}`;
  const publicJwk = { ...(await exportJWK(publicKey)), kid: id, alg, use: 'sig' };
  return { kid: id, alg, privateKey, publicJwk };
}

export async function startIssuer(options: IssuerOptions = {}): Promise<TestIssuer> {
  const path = options.path ?? '';
  const nowSeconds = options.now ?? (() => Math.floor(Date.now() / 1000));
  const keys = [await createIssuerKey(options.alg)];
  const requests = { discovery: 0, jwks: 0, other: 0 };
  const faults: TestIssuer['faults'] = {};
  const discoveryOverrides: Record<string, unknown> = {};

  const server = createServer((request, response) => {
    if (request.url === `${path}/.well-known/openid-configuration`) {
      requests.discovery += 1;
      const document = {
        issuer: url,
        jwks_uri: `${url}/jwks`,
        response_types_supported: ['id_token'],
        subject_types_supported: ['public'],
        id_token_signing_alg_values_supported: [...new Set(keys.map((key) => key.alg))],
        ...discoveryOverrides,
      };
      answer(response, faults.discovery, JSON.stringify(document));
    } else if (request.url === `${path}/jwks`) {
      requests.jwks += 1;
      answer(response, faults.jwks, JSON.stringify({ keys: keys.map((key) => key.publicJwk) }));
    } else {
      requests.other += 1;
      response.writeHead(404).end();
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`;

  return {
    url,
    requests,
    faults,
    discoveryOverrides,
    keys,
    resetRequests() {
      Object.assign(requests, { discovery: 0, jwks: 0, other: 0 });
    },
    sign(claims = {}, { key = keys.at(-1)!, header = {} } = {}) {
      const iat = nowSeconds();
      const payload = { iss: url, sub: 'subject', iat, nbf: iat, exp: iat + 300, ...claims };
      return new SignJWT(payload)
        .setProtectedHeader({ alg: key.alg, kid: key.kid, typ: 'JWT', ...header })
        .sign(key.privateKey);
    },
    async rotate({ alg, keepOld = false } = {}) {
      const key = await createIssuerKey(alg ?? keys.at(-1)!.alg);
      if (!keepOld) keys.length = 0;
      keys.push(key);
      return key;
    },
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function answer(response: ServerResponse, fault: IssuerFault | undefined, json: string): void {
  const headers = { 'content-type': 'application/json' };
  switch (fault?.kind) {
    case undefined:
      response.writeHead(200, headers).end(json);
      return;
    case 'body':
      response.writeHead(200, headers).end(fault.body);
      return;
    case 'status':
      response.writeHead(fault.status, headers).end('{"error":"fault"}');
      return;
    case 'redirect':
      response.writeHead(302, { location: fault.location }).end();
      return;
    case 'reset':
      response.destroy();
      return;
    case 'truncate':
      response.writeHead(200, { ...headers, 'content-length': Buffer.byteLength(json) });
      response.write(json.slice(0, json.length / 2), () => response.destroy());
      return;
    case 'hang':
      return;
  }
}
