import { createHash, type Hash } from 'node:crypto';

/** `sha256:<64 hex>` or `sha512:<128 hex>`, lower case. Made only by `parseDigest` and `formatDigest`. */
export type Digest = string & { readonly __brand: 'digest' };

export type DigestAlgorithm = 'sha256' | 'sha512';

const patterns: Record<DigestAlgorithm, RegExp> = {
  sha256: /^sha256:[a-f0-9]{64}$/,
  sha512: /^sha512:[a-f0-9]{128}$/,
};

export const digestAlgorithms = Object.keys(patterns) as DigestAlgorithm[];

/** The digest that `text` is, or undefined where it is malformed or of an algorithm that is not registered. */
export function parseDigest(text: string): Digest | undefined {
  if (text.length === 71 && patterns.sha256.test(text)) return text as Digest;
  if (text.length === 135 && patterns.sha512.test(text)) return text as Digest;
  return undefined;
}

export function isDigestAlgorithm(text: string): text is DigestAlgorithm {
  return Object.hasOwn(patterns, text);
}

export function algorithmOf(digest: Digest): DigestAlgorithm {
  return digest.charCodeAt(3) === 0x32 ? 'sha256' : 'sha512';
}

export function formatDigest(algorithm: DigestAlgorithm, hash: Hash): Digest {
  return `${algorithm}:${hash.digest('hex')}` as Digest;
}

export function digestOf(bytes: Uint8Array, algorithm: DigestAlgorithm = 'sha256'): Digest {
  return formatDigest(algorithm, createHash(algorithm).update(bytes));
}
