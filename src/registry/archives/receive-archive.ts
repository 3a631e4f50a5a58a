import { DecompressError, decompress } from '../../compression/decompress.ts';
import type { Plan } from '../../config/plans.ts';
import { type RegistryError, refuse } from '../../oci/errors.ts';
import type { LayerCompression } from '../../oci/media-types.ts';
import { formatBytes } from '../../policy/format-bytes.ts';
import { Archive } from './archive.ts';
import type { SpoolFile } from './spool.ts';
import { TarIndexer } from './tar-index.ts';

/** What every decoder of zstd must be able to keep (RFC 8878, section 3.1.1.1.2): 8 MiB. */
const windowLog = 23;
/** Bytes that may come of one received byte; images seldom shrink to a tenth. */
const mostInflation = 100;
/** Up to this size an archive may inflate as it likes. */
const alwaysInflated = 64 * 2 ** 20;

/**
 * Receives an archive to `file`, uncompressed, and notes where its files lie. `received` hears of each
 * chunk as it came. Rejects with `invalid`, `image-too-large` (of more uncompressed bytes than the plan
 * allows an image, or of many more than were sent), `storage-full`, or what `source` failed with.
 */
export async function receiveArchive(
  source: AsyncIterable<Buffer>,
  file: SpoolFile,
  plan: Plan,
  received: (bytes: number) => void,
): Promise<Archive> {
  let sent = 0;
  const counted = count(source, (bytes) => {
    sent += bytes;
    received(bytes);
  });
  const { compression, bytes } = await sniff(counted);
  const indexer = new TarIndexer();
  try {
    let size = 0;
    for await (const chunk of decompress(compression, bytes, windowLog)) {
      size += chunk.length;
      if (size > plan.image) throw archiveTooLarge(plan);
      if (size > alwaysInflated && size > sent * mostInflation) throw bomb();
      await indexer.feed(chunk);
      await file.append(chunk);
    }
    return new Archive(file, await indexer.end());
  } catch (error) {
    throw error instanceof DecompressError ? notInflated(error) : error;
  } finally {
    indexer.destroy();
  }
}

/** The first bytes tell, not a name or a type that somebody wrote beside them. */
export async function sniff(
  source: AsyncIterable<Buffer>,
): Promise<{ compression: LayerCompression; bytes: AsyncIterable<Buffer> }> {
  const chunks = source[Symbol.asyncIterator]();
  let head: Buffer = Buffer.alloc(0);
  while (head.length < 4) {
    const next = await chunks.next();
    if (next.done) break;
    head = head.length === 0 ? next.value : Buffer.concat([head, next.value]);
  }
  const first = head;
  async function* bytes(): AsyncGenerator<Buffer> {
    if (first.length > 0) yield first;
    yield* { [Symbol.asyncIterator]: () => chunks };
  }
  return { compression: compressionOf(first), bytes: bytes() };
}

function compressionOf(head: Buffer): LayerCompression {
  if (head[0] === 0x1f && head[1] === 0x8b) return 'gzip';
  if (head.length < 4) return 'none';
  const magic = head.readUInt32LE();
  // A frame, or one to be skipped (RFC 8878, sections 3.1.1 and 3.1.2).
  const zstd = magic === 0xfd2fb528 || (magic & 0xfffffff0) >>> 0 === 0x184d2a50;
  return zstd ? 'zstd' : 'none';
}

async function* count(
  source: AsyncIterable<Buffer>,
  tell: (bytes: number) => void,
): AsyncGenerator<Buffer> {
  for await (const chunk of source) {
    tell(chunk.length);
    yield chunk;
  }
}

export function archiveTooLarge(plan: Plan): RegistryError {
  return refuse(
    'image-too-large',
    `The archive has more than the ${formatBytes(plan.image)} that plan ${plan.name} allows for an image, uncompressed.`,
    'Send one image at a time, or push it with docker push: its layers are compressed one by one then.',
    { limit: plan.image, plan: plan.name },
  );
}

function bomb(): RegistryError {
  return refuse(
    'image-too-large',
    `The archive inflates to more than ${mostInflation} times its size, which is not read.`,
    'Send it uncompressed.',
    { limit: mostInflation },
  );
}

function notInflated({ format, reason, message }: DecompressError): RegistryError {
  return reason === 'window'
    ? refuse(
        'invalid',
        `The ${format} archive ${message}.`,
        'Compress it without --long and --ultra.',
      )
    : refuse(
        'invalid',
        `The archive is not valid ${format}: ${message}.`,
        'Compress it again, or send it uncompressed.',
      );
}
