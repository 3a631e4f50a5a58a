import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { algorithmOf, formatDigest } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { Damage } from '../../ports/scrub.ts';
import { bytesOf, type ListedBlob } from './blob-list.ts';

/** How far a long command is; `done` and `total` are bytes, or blobs where `unit` says so. */
export interface Progress {
  readonly step: string;
  readonly done: number;
  readonly total: number;
  readonly unit: 'bytes' | 'blobs' | 'rows';
}
export type OnProgress = (progress: Progress) => void;

export interface LostBlob {
  readonly digest: string;
  readonly damage: Damage;
  readonly why: string;
}

type Wrong = Pick<LostBlob, 'damage' | 'why'>;

/** Where blobs are copied to. */
export interface BlobTarget {
  /** Whether it is there already, whole and durable. */
  has(blob: ListedBlob): Promise<boolean>;
  /**
   * Takes all of `source`, handing each chunk to `observe`; asks `right` at the end, and keeps nothing where it says
   * no. What it keeps is durable.
   */
  write(
    blob: ListedBlob,
    source: Readable,
    observe: (chunk: Buffer) => void,
    right: () => boolean,
  ): Promise<void>;
}

export interface Copied {
  readonly copied: { readonly count: number; readonly bytes: number };
  /** There before. */
  readonly kept: { readonly count: number; readonly bytes: number };
  /** That the source lacks, or holds damaged. */
  readonly lost: LostBlob[];
}

const atOnce = 4;

/** Copies what the target lacks; each blob's digest is checked on the way. Can be run again after any crash. */
export async function copyBlobs(
  blobs: readonly ListedBlob[],
  source: (blob: ListedBlob) => Promise<Readable>,
  target: BlobTarget,
  options: {
    step: string;
    progress?: OnProgress | undefined;
    check?: () => void;
    /** Blobs that the disk cannot read count as lost, and do not end the rest. */
    pastUnreadable?: boolean;
  },
): Promise<Copied> {
  const { step, progress, check, pastUnreadable = false } = options;
  const total = bytesOf(blobs);
  const copied = { count: 0, bytes: 0 };
  const kept = { count: 0, bytes: 0 };
  const lost: LostBlob[] = [];
  let done = 0;
  const tell = (bytes: number): void => {
    done += bytes;
    progress?.({ step, done, total, unit: 'bytes' });
  };
  tell(0);
  await forEach(blobs, async (blob) => {
    check?.();
    if (await target.has(blob)) {
      kept.count += 1;
      kept.bytes += blob.size;
      tell(blob.size);
      return;
    }
    const copy = () => copyOne(blob, source, target, tell);
    const wrong = await (pastUnreadable ? twiceOrLost(copy) : copy());
    if (wrong) lost.push({ digest: blob.digest, ...wrong });
    else {
      copied.count += 1;
      copied.bytes += blob.size;
    }
  });
  return { copied, kept, lost: lost.sort((a, b) => (a.digest < b.digest ? -1 : 1)) };
}

/** The error with which the source's bytes broke off. */
class SourceError extends Error {}

/** A disk that begins to fail reads some blobs no more: a backup of the others is worth most just then. */
async function twiceOrLost(copy: () => Promise<Wrong | undefined>): Promise<Wrong | undefined> {
  const unreadable = (error: unknown): boolean => {
    for (let each = error; each instanceof Error; each = each.cause) {
      if (each instanceof SourceError) return codeOf(each) === 'EIO';
    }
    return false;
  };
  try {
    return await copy();
  } catch (error) {
    if (!unreadable(error)) throw error;
  }
  try {
    return await copy();
  } catch (error) {
    if (!unreadable(error)) throw error;
    return { damage: 'missing', why: 'the disk cannot read it (EIO)' };
  }
}

function codeOf(error: unknown): string | undefined {
  for (let each = error; each instanceof Error; each = each.cause) {
    const { code } = each as NodeJS.ErrnoException;
    if (typeof code === 'string') return code;
  }
  return undefined;
}

/** Why it could not be had; undefined: it is there now. */
async function copyOne(
  blob: ListedBlob,
  source: (blob: ListedBlob) => Promise<Readable>,
  target: BlobTarget,
  tell: (bytes: number) => void,
): Promise<Wrong | undefined> {
  const opened = await openOrWrong(blob, source);
  if ('damage' in opened) return opened;
  const checked = checkOf(blob);
  let broken: unknown;
  opened.once('error', (error) => {
    broken = error;
  });
  try {
    await target.write(
      blob,
      opened,
      (chunk) => {
        checked.observe(chunk);
        tell(chunk.length);
      },
      () => checked.wrong() === undefined,
    );
  } catch (error) {
    throw broken === undefined ? error : new SourceError(String(broken), { cause: broken });
  } finally {
    opened.destroy();
  }
  return checked.wrong();
}

/** Reads a blob to its end. Why it is not what it should be; undefined: it is. */
export async function verifyBlob(
  blob: ListedBlob,
  source: (blob: ListedBlob) => Promise<Readable>,
): Promise<Wrong | undefined> {
  const opened = await openOrWrong(blob, source);
  if ('damage' in opened) return opened;
  const checked = checkOf(blob);
  for await (const chunk of opened) checked.observe(chunk as Buffer);
  return checked.wrong();
}

async function openOrWrong(
  blob: ListedBlob,
  source: (blob: ListedBlob) => Promise<Readable>,
): Promise<Readable | Wrong> {
  try {
    return await source(blob);
  } catch (error) {
    if (error instanceof RegistryError && error.kind === 'blob-unknown') {
      return { damage: 'missing', why: 'it is missing' };
    }
    throw error;
  }
}

function checkOf(blob: ListedBlob) {
  const algorithm = algorithmOf(blob.digest);
  const hash = createHash(algorithm);
  let bytes = 0;
  let ended: { readonly wrong: Wrong | undefined } | undefined;
  const judge = (): Wrong | undefined => {
    if (bytes !== blob.size) {
      return { damage: 'size', why: `it has ${bytes} bytes and not ${blob.size}` };
    }
    const digest = formatDigest(algorithm, hash);
    return digest === blob.digest
      ? undefined
      : { damage: 'digest', why: `its bytes hash to ${digest}` };
  };
  return {
    observe(chunk: Buffer): void {
      hash.update(chunk);
      bytes += chunk.length;
    },
    /** After the last chunk. */
    wrong(): Wrong | undefined {
      ended ??= { wrong: judge() };
      return ended.wrong;
    },
  };
}

/** A few at a time. The first failure ends the rest, once what runs has ended. */
export async function forEach<T>(
  items: Iterable<T>,
  work: (item: T) => Promise<void>,
  count: number = atOnce,
): Promise<void> {
  const queue = items[Symbol.iterator]();
  let failure: { readonly error: unknown } | undefined;
  const worker = async (): Promise<void> => {
    for (let next = queue.next(); !next.done && !failure; next = queue.next()) {
      try {
        await work(next.value);
      } catch (error) {
        failure ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: count }, worker));
  if (failure) throw failure.error;
}
