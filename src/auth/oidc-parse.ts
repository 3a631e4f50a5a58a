/** What a JWT says of itself before anything of it is verified. */
export interface UnverifiedJwt {
  readonly algorithm: string;
  readonly keyId: string | undefined;
  readonly issuer: string;
  /** True once the signature of the very same bytes is verified. */
  readonly claims: Readonly<Record<string, unknown>>;
}

export const signatureAlgorithms: readonly string[] = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
];

const maxJwtLength = 16 * 1024;
const maxHeaderLength = 4 * 1024;
const maxIssuerLength = 1024;
const maxKeyIdLength = 512;

/** RFC 7515 4.1: keys that the sender brings along, and extensions that must be understood or refused. */
const refusedHeaders: readonly string[] = ['jwk', 'jku', 'x5u', 'crit', 'b64', 'enc', 'zip'];
/** Other types (`logout+jwt`, `dpop+jwt`, ...) are signed by the same keys for other ends (RFC 8725 3.11). */
const acceptedTypes: readonly string[] = ['jwt', 'at+jwt'];

/**
 * A signed JWT in compact form, or undefined for everything else: encrypted (five parts), unsigned, signed
 * with a shared secret, too large, or malformed in any way. Decrypts and inflates nothing.
 */
export function parseJwt(text: string): UnverifiedJwt | undefined {
  if (text.length > maxJwtLength) return undefined;
  const parts = text.split('.', 4);
  if (parts.length !== 3 || !parts.every((part) => /^[A-Za-z0-9_-]+$/.test(part))) return undefined;
  const [head, body] = parts as [string, string, string];
  if (head.length > maxHeaderLength) return undefined;
  const header = decodeObject(head);
  const claims = decodeObject(body);
  if (!header || !claims) return undefined;

  const { alg, kid, typ } = header;
  if (refusedHeaders.some((name) => Object.hasOwn(header, name))) return undefined;
  if (typeof alg !== 'string' || !signatureAlgorithms.includes(alg)) return undefined;
  if (kid !== undefined && (typeof kid !== 'string' || kid.length > maxKeyIdLength))
    return undefined;
  if (typ !== undefined && !isAcceptedType(typ)) return undefined;
  const issuer = claims.iss;
  if (typeof issuer !== 'string' || issuer === '' || issuer.length > maxIssuerLength) {
    return undefined;
  }
  return { algorithm: alg, keyId: kid, issuer, claims };
}

function isAcceptedType(type: unknown): boolean {
  if (typeof type !== 'string') return false;
  return acceptedTypes.includes(type.toLowerCase().replace(/^application\//, ''));
}

function decodeObject(part: string): Record<string, unknown> | undefined {
  try {
    const bytes = Buffer.from(part, 'base64url');
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
