import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { jwtVerify, SignJWT } from 'jose';
import { JWTExpired } from 'jose/errors';
import type { Clock } from '../ports/clock.ts';
import type { RefreshCredential } from '../ports/tokens.ts';
import type { Action } from '../ports/trust-policies.ts';
import type { InstallationKey } from './key-ring.ts';

/** What a registry token allows, besides what its identity may do: both must agree. */
export interface Access {
  readonly type: 'repository' | 'registry';
  readonly name: string;
  readonly actions: readonly (Action | '*')[];
}

export interface RegistryTokenClaims {
  /** Undefined: an anonymous caller's. */
  readonly credential: RefreshCredential | undefined;
  readonly access: readonly Access[];
  /** UTC milliseconds. */
  readonly expiresAt: number;
}

const algorithm = 'ES256';
const issuer = 'gantry';
const audience = 'gantry-registry';

/** PKCS#8 DER of a new P-256 key. */
export async function generateSigningKey(): Promise<Buffer> {
  const { privateKey } = await promisify(generateKeyPair)('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'pkcs8', format: 'der' });
}

export interface SigningKey {
  readonly signing: KeyObject;
  readonly verifying: KeyObject;
}

export function openSigningKey({ bytes }: InstallationKey): SigningKey {
  const signing = createPrivateKey({ key: bytes, type: 'pkcs8', format: 'der' });
  return { signing, verifying: createPublicKey(signing) };
}

/** The first signs, all verify. `refresh`: others may have made some meanwhile. */
type VerifyingKeys = Iterable<InstallationKey> & { refresh?(): Promise<void> };

/** Signs and verifies the short-lived tokens that clients send with each request. */
export class RegistryTokens {
  readonly #keys: VerifyingKeys;
  /** By key id: reading a key costs more than looking for it. */
  readonly #read = new Map<string, SigningKey>();
  readonly #clock: Clock;
  readonly #ttlSeconds: number;

  constructor(deps: { keys: VerifyingKeys; clock: Clock; ttlSeconds: number }) {
    this.#keys = deps.keys;
    this.#signer();
    this.#clock = deps.clock;
    this.#ttlSeconds = deps.ttlSeconds;
  }

  #signer(): { id: string; key: KeyObject } {
    const [first] = this.#keys;
    if (!first) throw new Error('no signing key');
    return { id: first.id, key: this.#open(first).signing };
  }

  #verifier(id: string | undefined): KeyObject | undefined {
    for (const key of this.#keys) if (key.id === id) return this.#open(key).verifying;
    return undefined;
  }

  #open(key: InstallationKey): SigningKey {
    let read = this.#read.get(key.id);
    if (!read) {
      read = openSigningKey(key);
      this.#read.set(key.id, read);
    }
    return read;
  }

  async sign(
    credential: RefreshCredential | undefined,
    access: readonly Access[],
  ): Promise<{ token: string; expiresIn: number; issuedAt: number }> {
    const issuedAt = Math.floor(this.#clock.now() / 1000);
    const signer = this.#signer();
    const token = await new SignJWT({ cred: credential, access })
      .setProtectedHeader({ alg: algorithm, kid: signer.id, typ: 'JWT' })
      .setIssuer(issuer)
      .setAudience(audience)
      .setIssuedAt(issuedAt)
      .setExpirationTime(issuedAt + this.#ttlSeconds)
      .sign(signer.key);
    return { token, expiresIn: this.#ttlSeconds, issuedAt };
  }

  /** The claims of a token that this installation signed, expired or not; undefined for any other. */
  async verify(token: string): Promise<RegistryTokenClaims | undefined> {
    const claims = await jwtVerify(
      token,
      async (header) => {
        let key = this.#verifier(header.kid);
        if (!key && header.kid?.startsWith('key_')) {
          await this.#keys.refresh?.();
          key = this.#verifier(header.kid);
        }
        if (!key) throw new Error('unknown key');
        return key;
      },
      {
        algorithms: [algorithm],
        issuer,
        audience,
        requiredClaims: ['exp'],
        currentDate: new Date(this.#clock.now()),
      },
    ).then(
      ({ payload }) => payload,
      // Upload sessions outlive the token that began them, so who it was is still asked.
      (error: unknown) => (error instanceof JWTExpired ? error.payload : undefined),
    );
    if (!claims) return undefined;
    const { cred, access, exp } = claims as {
      cred?: RefreshCredential;
      access: Access[];
      exp: number;
    };
    return { credential: cred, access, expiresAt: exp * 1000 };
  }
}
