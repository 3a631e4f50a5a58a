import { createHash } from 'node:crypto';
import { algorithmOf, formatDigest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import type { BlobStore } from '../ports/blob-store.ts';
import type { Damage, ScrubCandidate } from '../ports/scrub.ts';

/** Of one request to the store: a slow scrub must not hold a connection for hours. */
const windowBytes = 8 << 20;

export interface Reading {
  readonly store: BlobStore;
  /** Called with what was read; may make it wait, or end it by a rejection. */
  readonly take: (bytes: number) => Promise<void>;
}

/**
 * Reads a blob's bytes and compares them with its digest. Undefined: they are whole. Rejects where the store fails,
 * which says nothing of the bytes, and with what `take` rejects with.
 */
export async function verifyBlob(
  reading: Reading,
  blob: Pick<ScrubCandidate, 'digest' | 'key' | 'size'>,
): Promise<Damage | undefined> {
  const held = await lengthDamage(reading.store, blob);
  if (held) return held;
  try {
    return (await hashOf(reading, blob)) === blob.digest ? undefined : 'digest';
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
    // It may have been cut or removed while it was read.
    const damage = await lengthDamage(reading.store, blob);
    if (damage) return damage;
    throw error;
  }
}

async function lengthDamage(
  store: BlobStore,
  { key, size }: Pick<ScrubCandidate, 'key' | 'size'>,
): Promise<Damage | undefined> {
  const found = await store.stat(key);
  if (!found) return 'missing';
  return found.size === size ? undefined : 'size';
}

async function hashOf(
  { store, take }: Reading,
  { digest, key, size }: Pick<ScrubCandidate, 'digest' | 'key' | 'size'>,
): Promise<string> {
  const algorithm = algorithmOf(digest);
  const hash = createHash(algorithm);
  for (let start = 0; start < size; start += windowBytes) {
    const end = Math.min(start + windowBytes, size) - 1;
    for await (const chunk of await store.open(key, { start, end })) {
      hash.update(chunk as Buffer);
      await take((chunk as Buffer).length);
    }
  }
  return formatDigest(algorithm, hash);
}
