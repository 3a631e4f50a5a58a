import type { IncomingMessage, ServerResponse } from 'node:http';
import { refuse } from '../oci/errors.ts';
import type { Context } from './context.ts';

/** Bodies that were announced with Expect: 100-continue, and are not asked for yet. */
export const awaitingContinue = new WeakSet<IncomingMessage>();

/** Tells a client that asked first to go ahead: after everything that could refuse it has been asked. */
export function acceptBody({ req, res }: { req: IncomingMessage; res: ServerResponse }): void {
  if (awaitingContinue.delete(req)) res.writeContinue();
}

/** Content-Length in bytes; undefined where the body is chunked. */
export function contentLength(req: IncomingMessage): number | undefined {
  const header = req.headers['content-length'];
  return header === undefined ? undefined : Number(header);
}

export function hasBody(req: IncomingMessage): boolean {
  return req.headers['transfer-encoding'] !== undefined || (contentLength(req) ?? 0) > 0;
}

/**
 * Runs `work` on the request's body, failing the body with `body-timeout` where nothing of it came for
 * `timeoutMs`. A whole-request limit would cut large layers on slow lines.
 */
export async function withProgress<T>(
  req: IncomingMessage,
  timeoutMs: number,
  work: () => Promise<T>,
): Promise<T> {
  const { socket } = req;
  let seen = socket.bytesRead;
  const timer = setInterval(() => {
    // A body that is not read for our own slowness makes no progress, either, and is not to blame. Where
    // nothing reads it yet, nothing would hear the failure, either, and Node would end the process.
    const reading = req.readableFlowing === true;
    if (!reading || req.complete || socket.bytesRead !== seen) {
      // What was held back until now has a whole time to come.
      seen = reading ? socket.bytesRead : -1;
      return;
    }
    req.emit(
      'error',
      refuse(
        'body-timeout',
        `Nothing of the body came for ${timeoutMs / 1000} s.`,
        'Check the connection and push again: an upload goes on from where it stood.',
      ),
    );
  }, timeoutMs);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}

/** The whole body. Rejects with `manifest-too-large` as soon as it is known to pass `limit` bytes. */
export async function readBody(
  context: Pick<Context, 'req' | 'res' | 'services'>,
  limit: number,
): Promise<Buffer> {
  const { req, services } = context;
  const tooLarge = refuse(
    'manifest-too-large',
    `The manifest has more than the ${limit} bytes that are allowed.`,
    'Move annotations and data fields into blobs, or split the index.',
    { limit },
  );
  if ((contentLength(req) ?? 0) > limit) throw tooLarge;
  acceptBody(context);
  return withProgress(req, services.settings.bodyTimeoutMs, () => {
    return new Promise<Buffer>((resolve, reject) => {
      const closed = () => reject(refuse('invalid', 'The client closed the connection.'));
      // A body whose client went away before it was read has no more events to wait for.
      if (req.destroyed) return closed();
      const chunks: Buffer[] = [];
      let size = 0;
      const take = (chunk: Buffer): void => {
        size += chunk.length;
        if (size <= limit) {
          chunks.push(chunk);
          return;
        }
        req.off('data', take).pause();
        reject(tooLarge);
      };
      req.on('data', take);
      req.on('end', () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)));
      req.on('error', reject);
      req.on('close', closed);
    });
  });
}
