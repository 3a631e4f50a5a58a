import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';

/**
 * A client's body on its way to a container. The request itself is read only once the container takes bytes, so
 * that a connection that fails before has lost nothing, and an end of this stream does not end the client's
 * connection. Fails with `cut` where the client went away.
 */
export class RequestBody extends Readable {
  /** Bytes that were read. */
  bytes = 0;
  readonly #req: IncomingMessage;
  readonly #res: ServerResponse;
  readonly #limit: number;
  readonly #tooLarge: () => Error;
  #reading = false;

  constructor(
    req: IncomingMessage,
    res: ServerResponse,
    options: { limit: number; tooLarge: () => Error },
  ) {
    super({ highWaterMark: 64 * 1024 });
    this.#req = req;
    this.#res = res;
    this.#limit = options.limit;
    this.#tooLarge = options.tooLarge;
  }

  override _read(): void {
    const req = this.#req;
    if (!this.#reading) {
      this.#reading = true;
      // The client asked whether it may send: now the container takes it.
      if (awaitsContinue(req) && !this.#res.headersSent) this.#res.writeContinue();
      req.on('data', this.#take);
      req.on('end', this.#end);
      req.on('close', this.#closed);
      req.on('error', this.#closed);
    }
    req.resume();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    const req = this.#req;
    req.off('data', this.#take).off('end', this.#end).off('close', this.#closed);
    // Kept: 'error', which nobody else would hear.
    callback(error);
  }

  readonly #take = (chunk: Buffer): void => {
    this.bytes += chunk.length;
    if (this.bytes > this.#limit) {
      this.#req.pause();
      this.destroy(this.#tooLarge());
    } else if (!this.push(chunk)) {
      this.#req.pause();
    }
  };

  readonly #end = (): void => {
    this.push(null);
  };

  readonly #closed = (): void => {
    if (!this.#req.complete) this.destroy(new Error('cut'));
  };
}

export function hasBody({ headers }: IncomingMessage): boolean {
  const length = headers['content-length'];
  return headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
}

export function awaitsContinue({ headers }: IncomingMessage): boolean {
  return headers.expect?.toLowerCase() === '100-continue';
}

/** How long a client that is refused may go on sending, before its connection is cut. */
const lingerMs = 2_000;

/**
 * Ends an answer whose head and body are written. A body that is still on its way is read and dropped for a
 * moment, for a connection that is closed on unread bytes is reset, and then the client never sees the answer.
 */
export function endUnread(req: IncomingMessage, res: ServerResponse): void {
  // Who asked before sending, and was not told to, sends nothing.
  const asked = awaitsContinue(req) && req.readableFlowing === null;
  if (req.complete || req.destroyed || !hasBody(req) || asked) {
    res.end();
    return;
  }
  const end = (): void => {
    clearTimeout(timer);
    res.end();
    if (!req.complete) res.once('finish', () => req.destroy());
  };
  const timer = setTimeout(end, lingerMs);
  req.once('end', end);
  res.once('close', () => clearTimeout(timer));
  req.on('error', () => {});
  req.resume();
}
