import {
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  type KeyObject,
  randomUUID,
} from 'node:crypto';
import { promisify } from 'node:util';
import { createLocalJWKSet, type JWK, SignJWT } from 'jose';
import type { Clock } from '../ports/clock.ts';
import type { Project } from '../ports/projects.ts';
import type { Team } from '../ports/teams.ts';
import type { Action } from '../ports/trust-policies.ts';
import type { InstallationKey } from './key-ring.ts';
import type { KeyRing } from './key-rings.ts';
import type { KeySet } from './oidc-keys.ts';

// OpenID Connect Core, section 15.1: the one that every verifier must know; some clouds know no other.
const algorithm = 'RS256';

/** The longest that a token of an environment is good for. */
export const longestTokenSeconds = 3600;

/** PKCS#8 DER of a new RSA key. */
export async function generateIssuerKey(): Promise<Buffer> {
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 });
  return privateKey.export({ type: 'pkcs8', format: 'der' });
}

export interface EnvironmentToken {
  readonly token: string;
  readonly subject: string;
  readonly audience: string;
  /** UTC milliseconds. */
  readonly expiresAt: number;
}

export interface EnvironmentTokenOptions {
  readonly environment: string;
  /** This registry unless given. */
  readonly audience?: string | undefined;
  readonly seconds?: number | undefined;
  /** Of an instance. */
  readonly service?: string | undefined;
  /** What it may do in its own project, here; absent: pull. */
  readonly actions?: readonly Action[] | undefined;
}

/** This installation as an OpenID issuer: what it signs says which project and environment holds it. */
export class Issuer {
  readonly #keys: KeyRing;
  readonly #clock: Clock;
  readonly #url: () => string;
  readonly #audience: () => string;
  readonly #read = new Map<string, { signing: KeyObject; publicJwk: JWK }>();

  /** `url`: its `iss`; `audience`: of tokens that are made for no other. */
  constructor(deps: { keys: KeyRing; clock: Clock; url: () => string; audience: () => string }) {
    this.#keys = deps.keys;
    this.#clock = deps.clock;
    this.#url = deps.url;
    this.#audience = deps.audience;
  }

  get url(): string {
    return this.#url();
  }

  /** OpenID Connect Discovery 1.0, section 3, and RFC 8414 for the token endpoint. */
  discovery(): Readonly<Record<string, unknown>> {
    const url = this.#url();
    return {
      issuer: url,
      jwks_uri: `${url}/.well-known/jwks.json`,
      token_endpoint: `${url}/oauth/token`,
      revocation_endpoint: `${url}/oauth/revoke`,
      grant_types_supported: ['urn:ietf:params:oauth:grant-type:token-exchange'],
      token_endpoint_auth_methods_supported: ['none'],
      revocation_endpoint_auth_methods_supported: ['none'],
      response_types_supported: ['id_token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: [algorithm],
      scopes_supported: ['openid'],
      claims_supported: [
        ...['iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti'],
        ...['team', 'team_id', 'project', 'project_id', 'environment', 'service'],
      ],
    };
  }

  /** Those that sign, that will sign, and that signed what is still good. */
  async jwks(): Promise<{ keys: JWK[] }> {
    await this.#keys.ensure();
    return { keys: [...this.#keys].map((key) => this.#open(key).publicJwk) };
  }

  /** For checking its own tokens without asking itself over the network. */
  async keySet(): Promise<KeySet> {
    const jwks = await this.jwks();
    return {
      find: createLocalJWKSet(jwks),
      keyIds: new Set(jwks.keys.map(({ kid }) => kid!)),
      fetchedAt: this.#clock.now(),
    };
  }

  async sign(
    team: Pick<Team, 'id' | 'slug'>,
    project: Pick<Project, 'id' | 'slug'>,
    options: EnvironmentTokenOptions,
  ): Promise<EnvironmentToken> {
    await this.#keys.ensure();
    const [key] = this.#keys;
    const { environment, audience = this.#audience(), service, actions } = options;
    const seconds = Math.min(options.seconds ?? longestTokenSeconds, longestTokenSeconds);
    const issuedAt = Math.floor(this.#clock.now() / 1000);
    const subject = `team:${team.slug}:project:${project.slug}:environment:${environment}`;
    const token = await new SignJWT({
      team: team.slug,
      team_id: team.id,
      project: project.slug,
      project_id: project.id,
      environment,
      ...(service !== undefined && { service }),
      ...(actions && { actions }),
    })
      .setProtectedHeader({ alg: algorithm, kid: key!.id, typ: 'JWT' })
      .setIssuer(this.#url())
      .setSubject(subject)
      .setAudience(audience)
      .setIssuedAt(issuedAt)
      .setNotBefore(issuedAt)
      .setExpirationTime(issuedAt + seconds)
      .setJti(randomUUID())
      .sign(this.#open(key!).signing);
    return { token, subject, audience, expiresAt: (issuedAt + seconds) * 1000 };
  }

  #open({ id, bytes }: InstallationKey): { signing: KeyObject; publicJwk: JWK } {
    let read = this.#read.get(id);
    if (!read) {
      const signing = createPrivateKey({ key: bytes, type: 'pkcs8', format: 'der' });
      const jwk = createPublicKey(signing).export({ format: 'jwk' }) as JWK;
      read = { signing, publicJwk: { ...jwk, kid: id, alg: algorithm, use: 'sig' } };
      this.#read.set(id, read);
    }
    return read;
  }
}
