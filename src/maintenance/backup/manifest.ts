import { createHash } from 'node:crypto';
import { refuse } from '../../oci/errors.ts';
import type { LostBlob } from './copy.ts';
import { damaged } from './refusals.ts';

/** `backup.json`: what a backup is made of. Written last: a backup without it is not whole. */
export interface BackupManifest {
  readonly format: 1;
  readonly id: string;
  /** Of the program that made it. */
  readonly program: string;
  /** Of the database's schema. */
  readonly schema: number;
  /** The moment that the facts are of; UTC milliseconds. */
  readonly takenAt: number;
  readonly finishedAt: number;
  readonly database: {
    /** `sqlite` or `postgres`: where the rows come from; they fit both. */
    readonly from: string;
    readonly file: string;
    readonly bytes: number;
    readonly sha256: string;
    readonly rows: Readonly<Record<string, number>>;
  };
  readonly key: {
    readonly fingerprint: string;
    /** Undefined: it is not in the backup. */
    readonly file?: string;
  };
  readonly blobs: {
    /** `blobs` in the backup, or undefined: they stay in the store. */
    readonly folder?: string;
    /** The list: a digest, a size in bytes and a key a line. */
    readonly list: string;
    readonly listSha256: string;
    /** Where they come from: `filesystem`, `s3://bucket/prefix`. */
    readonly from: string;
    readonly count: number;
    readonly bytes: number;
    /** That the store lacked, or held damaged: not in the backup. */
    readonly lost: readonly LostBlob[];
  };
}

export const manifestName = 'backup.json';
export const keyName = 'secret.key';
export const blobsName = 'blobs';

/** Tells keys apart without telling anything of them: they are 32 random bytes. */
export function fingerprintOf(key: Uint8Array): string {
  return createHash('sha256').update('gantry secret key\n').update(key).digest('hex').slice(0, 16);
}

/** Rejects with `invalid` where the text is no manifest, or one of a newer program. */
export function parseManifest(text: string): BackupManifest {
  let value: Partial<BackupManifest> | null;
  try {
    value = JSON.parse(text) as Partial<BackupManifest> | null;
  } catch {
    throw damaged(`${manifestName} is no JSON`);
  }
  if (typeof value?.format === 'number' && value.format !== 1) {
    throw refuse(
      'invalid',
      `The backup has the format ${value.format}, which this program does not know.`,
      `Restore it with Gantry ${value.program ?? 'of a newer version'} or newer.`,
    );
  }
  const { database, key, blobs } = value ?? {};
  const whole =
    value?.format === 1 &&
    typeof value.id === 'string' &&
    typeof value.schema === 'number' &&
    typeof value.takenAt === 'number' &&
    isName(database?.file) &&
    typeof database?.sha256 === 'string' &&
    typeof key?.fingerprint === 'string' &&
    (key.file === undefined || isName(key.file)) &&
    isName(blobs?.list) &&
    (blobs?.folder === undefined || isName(blobs.folder)) &&
    typeof blobs?.listSha256 === 'string' &&
    Array.isArray(blobs.lost);
  if (!whole) throw damaged(`${manifestName} lacks something`);
  return value as BackupManifest;
}

/** Of a file in the backup itself, and nowhere else. */
function isName(name: unknown): name is string {
  return typeof name === 'string' && /^[a-z0-9][a-z0-9._-]*$/i.test(name);
}
