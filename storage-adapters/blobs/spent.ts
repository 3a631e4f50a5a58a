import { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';

const ours = new WeakSet<Buffer>();

/** True, and noted, where the memory of `chunk` is ours alone: Node makes each chunk of a body for its reader. */
export function claim(source: Readable, chunk: Buffer): boolean {
  if (!(source instanceof IncomingMessage)) return false;
  ours.add(chunk);
  return true;
}

/**
 * Gives the memory of a claimed chunk, whose bytes are where they must be, back at once. Left to the
 * garbage collector, 64 MB of dead chunks make it mark the whole heap: on Node 26 half of the processor's
 * time of an upload to a disk that is slow to write. A minor collection does not help there, for chunks
 * that wait for the disk through two of them are no longer young. An observer of the chunk that goes on
 * past its call needs a copy.
 */
export function spent(chunk: Buffer): void {
  if (!ours.delete(chunk)) return;
  const { buffer, byteLength } = chunk;
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}
