import { join } from 'node:path';
import type { Config } from '../../config/config.ts';
import { parseKey } from '../../config/formats.ts';
import { readIfThere, writePrivateFile } from '../../config/private-file.ts';
import { type RegistryError, refuse } from '../../oci/errors.ts';
import type { BackupFolder } from './folder.ts';
import { type BackupManifest, fingerprintOf } from './manifest.ts';
import { damaged } from './refusals.ts';

type Keyed = Pick<Config, 'data' | 'secretKey'>;

/** Undefined: there is none yet. Never makes one. */
export async function keyOf(config: Keyed): Promise<Buffer | undefined> {
  const text = config.secretKey ?? (await readIfThere(join(config.data, 'secret.key')));
  const key = text === undefined ? undefined : parseKey(text.trim());
  if (text !== undefined && !key) {
    throw refuse(
      'invalid',
      `${join(config.data, 'secret.key')} does not hold a key (64 hex digits).`,
      'Restore it from a backup.',
    );
  }
  return key === undefined ? undefined : Buffer.from(key, 'hex');
}

/**
 * Makes sure that the target has the key of the backup: its own, else the one in the backup, which is put into its
 * data folder. Rejects with `invalid` where it has another one, or there is none.
 */
export async function settleKey(
  config: Keyed,
  folder: BackupFolder,
  manifest: BackupManifest,
): Promise<void> {
  const { key } = manifest;
  const own = await keyOf(config);
  if (own) {
    if (fingerprintOf(own) === key.fingerprint) return;
    const where =
      config.secretKey === undefined ? join(config.data, 'secret.key') : 'GANTRY_SECRET_KEY';
    throw refuse(
      'invalid',
      `${where} is another key (fingerprint ${fingerprintOf(own)}) than the backup's (${key.fingerprint}): the keys in the database could not be read.`,
      key.file === undefined
        ? 'Set GANTRY_SECRET_KEY to the key that the server had.'
        : `The backup has the key: GANTRY_SECRET_KEY=$(cat ${folder.file(key.file)})`,
    );
  }
  if (key.file === undefined) {
    throw refuse(
      'invalid',
      `The backup does not hold the secret key, whose fingerprint is ${key.fingerprint}.`,
      'Set GANTRY_SECRET_KEY to the key that the server had.',
    );
  }
  const text = (await readKey(folder, manifest)).toString('hex');
  await writePrivateFile(join(config.data, 'secret.key'), `${text}\n`);
}

/** The key in a backup that has it. Rejects with `invalid` where it is not the one that it was. */
export async function readKey(folder: BackupFolder, { key }: BackupManifest): Promise<Buffer> {
  const text = await readIfThere(folder.file(key.file!));
  if (text === undefined) throw damaged(`${key.file} is missing`);
  const parsed = parseKey(text.trim());
  const bytes = parsed === undefined ? undefined : Buffer.from(parsed, 'hex');
  if (bytes && fingerprintOf(bytes) === key.fingerprint) return bytes;
  throw damaged(`${key.file} is not the key that it was`);
}

export function noKey(config: Keyed): RegistryError {
  return refuse(
    'not-found',
    `There is no installation in the data folder ${config.data}.`,
    'Set GANTRY_DATA, and the other settings, as your server has them.',
  );
}
