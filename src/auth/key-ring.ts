import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { refuse } from '../oci/errors.ts';

/** A key of the installation, unwrapped: raw bytes. */
export interface InstallationKey {
  readonly id: string;
  readonly bytes: Buffer;
}

const nonceBytes = 12;
const tagBytes = 16;

/** AES-256-GCM under a key of 32 bytes: nonce, tag and ciphertext, base64url. */
export function seal(wrappingKey: Buffer, plain: Buffer, context: string): string {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv('aes-256-gcm', wrappingKey, nonce).setAAD(Buffer.from(context));
  const sealed = Buffer.concat([cipher.update(plain), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64url');
}

/** Throws `invalid` where it was sealed with another key or context. */
export function unseal(wrappingKey: Buffer, wrapped: string, context: string): Buffer {
  const bytes = Buffer.from(wrapped, 'base64url');
  try {
    const nonce = bytes.subarray(0, nonceBytes);
    const options = { authTagLength: tagBytes };
    const decipher = createDecipheriv('aes-256-gcm', wrappingKey, nonce, options)
      .setAAD(Buffer.from(context))
      .setAuthTag(bytes.subarray(nonceBytes, nonceBytes + tagBytes));
    return Buffer.concat([
      decipher.update(bytes.subarray(nonceBytes + tagBytes)),
      decipher.final(),
    ]);
  } catch {
    throw refuse(
      'invalid',
      'The keys in the database were wrapped with another secret key.',
      'Start with the GANTRY_SECRET_KEY (or the secret.key file) that this data folder was made with.',
    );
  }
}
