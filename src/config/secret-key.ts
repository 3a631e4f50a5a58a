import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Config } from './config.ts';
import { ConfigError } from './config-error.ts';
import { parseKey } from './formats.ts';
import { readIfThere, writePrivateFile } from './private-file.ts';

/**
 * The 32 bytes that wrap the installation's keys: from GANTRY_SECRET_KEY, else from `<data>/secret.key`,
 * which is made (mode 0600, synced) where it is missing. Throws `ConfigError` where the file holds no key.
 */
export async function loadSecretKey(config: Pick<Config, 'data' | 'secretKey'>): Promise<Buffer> {
  if (config.secretKey !== undefined) return Buffer.from(config.secretKey, 'hex');
  const path = join(config.data, 'secret.key');
  const text = (await readIfThere(path)) ?? (await make(path));
  const key = parseKey(text.trim());
  if (key) return Buffer.from(key, 'hex');
  throw new ConfigError([
    `${path} does not hold a key (64 hex digits): restore it from a backup. Without it the keys in the database cannot be read.`,
  ]);
}

async function make(path: string): Promise<string> {
  const text = `${randomBytes(32).toString('hex')}\n`;
  await writePrivateFile(path, text);
  return text;
}
