import { DecompressError, decompress } from '../compression/decompress.ts';
import type { MeasureJob, Verdict } from './measure-frames.ts';
import { Unfit } from './measure-unfit.ts';

const blockSize = 512;
const checksumStart = 148;
const checksumEnd = 156;

/** Reads a layer to its end, its cap or its first fault. `tick` is called often while it makes progress. */
export async function measureLayer(
  { compression, cap }: MeasureJob,
  compressed: AsyncIterable<Buffer>,
  tick: () => void,
): Promise<Verdict> {
  try {
    const first = Buffer.alloc(blockSize);
    let size = 0;
    for await (const chunk of decompress(compression, compressed)) {
      if (size < blockSize) {
        chunk.copy(first, size);
        if (size + chunk.length >= blockSize) checkFirstBlock(first);
      }
      size += chunk.length;
      if (size > cap) {
        const limit = cap.toLocaleString('en-US');
        throw new Unfit('over', `The layer has more than ${limit} bytes uncompressed.`);
      }
      tick();
    }
    if (size > 0 && size < blockSize) throw noTar();
    return { state: 'measured', uncompressedSize: size };
  } catch (error) {
    if (error instanceof Unfit) return { state: error.state, reason: error.message };
    if (error instanceof DecompressError) return verdictOn(error);
    throw error;
  }
}

function verdictOn({ format, reason, message }: DecompressError): Verdict {
  return reason === 'window'
    ? { state: 'over', reason: `The ${format} layer ${message}.` }
    : { state: 'mismatch', reason: `The layer is not valid ${format}: ${message}.` };
}

/** A header by its checksum (POSIX pax, "ustar Interchange Format"), or the zeros that end an archive. */
function checkFirstBlock(block: Buffer): void {
  let unsigned = 0;
  let signed = 0;
  for (const [index, byte] of block.entries()) {
    const counted = index >= checksumStart && index < checksumEnd ? 0x20 : byte;
    unsigned += counted;
    signed += counted < 0x80 ? counted : counted - 0x100;
  }
  if (block.every((byte) => byte === 0)) return;
  const field = block.toString('latin1', checksumStart, checksumEnd);
  const octal = /^ *([0-7]+)[ \0]*$/.exec(field)?.[1];
  const checksum = octal === undefined ? undefined : Number.parseInt(octal, 8);
  // Some old writers summed signed bytes.
  if (checksum !== unsigned && checksum !== signed) throw noTar();
}

function noTar(): Unfit {
  return new Unfit('mismatch', 'The uncompressed layer does not start like a tar archive.');
}
