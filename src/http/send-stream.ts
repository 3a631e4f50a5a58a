import type { ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';

/**
 * Sends all of `source` as the body. Rejects with the source's error, or where the client goes away;
 * `source` is then destroyed and the answer left as it is.
 *
 * Each chunk must be the source's to give away: its memory is freed as soon as the socket has it. Left to
 * the garbage collector, the next 64 MB of dead chunks make it mark the whole heap, which costs more
 * than the sending.
 */
export function sendStream(source: Readable, res: ServerResponse): Promise<void> {
  return new Promise((resolve, reject) => {
    let settled = false;
    const settle = (error?: unknown): void => {
      if (settled) return;
      settled = true;
      if (error === undefined) {
        resolve();
      } else {
        source.destroy();
        reject(error);
      }
    };
    const gone = (): void => settle(new Error('the client closed the connection'));
    if (res.destroyed) return gone();
    source.on('data', (chunk: Buffer) => {
      const room = res.write(chunk, (error) => {
        if (!error) freeChunk(chunk);
      });
      if (!room) source.pause();
    });
    res.on('drain', () => source.resume());
    source.on('end', () => res.end());
    source.on('error', settle);
    source.on('close', () => {
      if (!source.readableEnded) settle(new Error('the source was closed before its end'));
    });
    res.on('error', settle);
    res.on('finish', () => settle());
    res.on('close', gone);
  });
}

/** Gives the chunk's memory back at once, where nothing else lies in it. */
function freeChunk({ buffer, byteLength }: Buffer): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}
