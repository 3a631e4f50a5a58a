import { createHash, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

/** What the holder keeps, and what is stored of it. */
export interface NewToken {
  /** `gnt_`, 30 random base62 characters (178 bits) and 6 of their CRC-32. Shown once. */
  readonly secret: string;
  /** SHA-256 of the secret, lower-case hex. No slow hash: the secret is random, not a password. */
  readonly hash: string;
}

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const PREFIX = 'gnt_';
const RANDOM_LENGTH = 30;
const CHECKSUM_LENGTH = 6;
const SHAPE = /^gnt_([0-9A-Za-z]{30})([0-9A-Za-z]{6})$/;

export function newToken(): NewToken {
  const random = randomText(RANDOM_LENGTH);
  const secret = PREFIX + random + checksum(random);
  return { secret, hash: hashToken(secret) };
}

export function hashToken(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

/**
 * Whether `text` is a whole token: prefix, length and checksum. Tells a mistyped or cut one from one that
 * is not known, and secret scanners a token from other text.
 */
export function isTokenShaped(text: string): boolean {
  const [, random, check] = SHAPE.exec(text) ?? [];
  return random !== undefined && checksum(random) === check;
}

/** CRC-32 in base62, most significant digit first: 62^6 > 2^32, so it always fits. */
function checksum(random: string): string {
  let rest = crc32(random);
  let text = '';
  for (let i = 0; i < CHECKSUM_LENGTH; i++) {
    text = ALPHABET[rest % 62] + text;
    rest = Math.floor(rest / 62);
  }
  return text;
}

/** Bytes of 248 and more are dropped: 248 is 4 × 62, so each character is equally likely. */
function randomText(length: number): string {
  let text = '';
  while (text.length < length) {
    for (const byte of randomBytes(length)) {
      if (byte < 248 && text.length < length) text += ALPHABET[byte % 62];
    }
  }
  return text;
}
