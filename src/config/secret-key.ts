import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from './config.ts';
import { ConfigError } from './config-error.ts';
import { parseKey } from './formats.ts';

/**
 * The 32 bytes that wrap the installation's keys: from GANTRY_SECRET_KEY, else from `<data>/secret.key`,
 * which is made (mode 0600, synced) where it is missing. Throws `ConfigError` where the file holds no key.
 */
export async function loadSecretKey(config: Pick<Config, 'data' | 'secretKey'>): Promise<Buffer> {
  if (config.secretKey !== undefined) return Buffer.from(config.secretKey, 'hex');
  const path = join(config.data, 'secret.key');
  const text = (await readIfThere(path)) ?? (await make(config.data, path));
  const key = parseKey(text.trim());
  if (key) return Buffer.from(key, 'hex');
  throw new ConfigError([
    `${path} does not hold a key (64 hex digits): restore it from a backup. Without it the keys in the database cannot be read.`,
  ]);
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Under another name first, so that a crash leaves no half key. */
async function make(folder: string, path: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  const text = `${randomBytes(32).toString('hex')}\n`;
  const unfinished = `${path}.${process.pid}`;
  await rm(unfinished, { force: true });
  const file = await open(unfinished, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(unfinished, path);
  const parent = await open(folder, 'r');
  try {
    await parent.sync();
  } finally {
    await parent.close();
  }
  return text;
}
