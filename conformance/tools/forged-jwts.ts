import { createHmac } from 'node:crypto';
import { deflateRawSync } from 'node:zlib';
import { exportSPKI, importJWK } from 'jose';
import type { IssuerKey } from './issuer.ts';

type Claims = Readonly<Record<string, unknown>>;

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

/** A14: a token that says it needs no signature. */
export function forgeUnsigned(claims: Claims, alg = 'none'): string {
  return `${encode({ alg, typ: 'JWT' })}.${encode(claims)}.`;
}

/** A15: HS256 with the text of the issuer's public key as the secret. */
export async function forgeHmac(claims: Claims, key: IssuerKey): Promise<string> {
  const publicKey = await importJWK(key.publicJwk, key.alg, { extractable: true });
  if (publicKey instanceof Uint8Array) throw new TypeError('not an asymmetric key');
  const secret = await exportSPKI(publicKey);
  const signed = `${encode({ alg: 'HS256', kid: key.kid, typ: 'JWT' })}.${encode(claims)}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

/**
 * A18: an encrypted token (five parts) whose header asks for decompression, filled with `bytes` zeros
 * deflated. No key decrypts it; what is measured is that nobody tries.
 */
export function forgeCompressedJwe(bytes: number): string {
  const header = encode({ alg: 'RSA-OAEP-256', enc: 'A256GCM', zip: 'DEF', kid: 'key-1' });
  const part = (length: number) => Buffer.alloc(length, 1).toString('base64url');
  const body = deflateRawSync(Buffer.alloc(bytes)).toString('base64url');
  return [header, part(256), part(12), body, part(16)].join('.');
}

/** The token with the first byte of its signature inverted. */
export function breakSignature(jwt: string): string {
  const [header, payload, signature = ''] = jwt.split('.');
  const bytes = Buffer.from(signature, 'base64url');
  bytes[0] = (bytes[0] ?? 0) ^ 0xff;
  return `${header}.${payload}.${bytes.toString('base64url')}`;
}
