import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { refuse } from '../oci/errors.ts';
import type { Clock } from '../ports/clock.ts';
import type { CommandWriter } from '../ports/commands.ts';
import type { Keys, WrappedKey } from '../ports/keys.ts';

/** A key of the installation, unwrapped: raw bytes. */
export interface InstallationKey {
  readonly id: string;
  readonly bytes: Buffer;
}

/**
 * The installation's keys of one purpose: the first signs, all verify. Those that are not retired come
 * first, the newest before all. Makes the first one where there is none.
 */
export async function loadKeys(deps: {
  keys: Keys;
  writer: CommandWriter;
  wrappingKey: Buffer;
  clock: Clock;
  newId: () => string;
  purpose: WrappedKey['purpose'];
  generate: () => Promise<Buffer> | Buffer;
}): Promise<InstallationKey[]> {
  const now = deps.clock.now();
  let rows = await deps.keys.list(deps.purpose);
  if (rows.every((row) => row.retiredAt !== undefined)) {
    const id = deps.newId();
    const wrapped = seal(deps.wrappingKey, await deps.generate(), `${deps.purpose}:${id}`);
    await deps.writer.run('CreateKey', {
      id,
      purpose: deps.purpose,
      wrapped,
      createdAt: now,
      retiredAt: undefined,
    });
    rows = await deps.keys.list(deps.purpose);
  }
  const active = rows.filter((row) => row.retiredAt === undefined);
  const retired = rows.filter((row) => row.retiredAt !== undefined && row.retiredAt > now);
  return [...active, ...retired].map((row) => ({
    id: row.id,
    bytes: unseal(deps.wrappingKey, row.wrapped, `${row.purpose}:${row.id}`),
  }));
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
