import type { Awaitable } from './awaitable.ts';

export const keyPurposes = ['registry-token', 'upload-url', 'issuer', 'sealing', 'cursor'] as const;
export type KeyPurpose = (typeof keyPurposes)[number];

/** A key of the installation, wrapped by the one from the environment or a file. */
export interface WrappedKey {
  readonly id: string;
  readonly purpose: KeyPurpose;
  /** AES-256-GCM of the key's bytes: nonce, tag and ciphertext, base64url. */
  readonly wrapped: string;
  readonly createdAt: number;
  /** It is replaced, and verifies until this time; undefined: it is not replaced, or opens what is stored. */
  readonly retiredAt: number | undefined;
}

export interface Keys {
  /** Newest first. */
  list(purpose: KeyPurpose): Awaitable<WrappedKey[]>;
}
