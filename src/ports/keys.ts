import type { Awaitable } from './awaitable.ts';

/** A key of the installation, wrapped by the one from the environment or a file. */
export interface WrappedKey {
  readonly id: string;
  readonly purpose: 'registry-token' | 'upload-url' | 'issuer' | 'sealing' | 'cursor';
  /** AES-256-GCM of the key's bytes: nonce, tag and ciphertext, base64url. */
  readonly wrapped: string;
  readonly createdAt: number;
  /** No longer signs, still verifies until this time; undefined: signs. */
  readonly retiredAt: number | undefined;
}

export interface Keys {
  list(purpose: WrappedKey['purpose']): Awaitable<WrappedKey[]>;
}
