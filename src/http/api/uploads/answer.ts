import type { IncomingMessage, ServerResponse } from 'node:http';
import { toErrorInfo } from '../../errors.ts';
import { toApiError } from '../errors.ts';

/** Between two events of one kind, so that a fast disk does not flood a slow line. */
const restMs = 250;

/** An answer that streams how far the request has come, as server-sent events (WHATWG HTML, 9.2). */
export class ProgressStream {
  readonly #res: ServerResponse;
  readonly #last = new Map<string, number>();

  private constructor(res: ServerResponse) {
    this.#res = res;
  }

  /** Undefined unless the client asks for events. Nothing is sent yet. */
  static of(req: IncomingMessage, res: ServerResponse): ProgressStream | undefined {
    const wanted = /(?:^|[\s,])text\/event-stream(?:[\s,;]|$)/i.test(req.headers.accept ?? '');
    return wanted ? new ProgressStream(res) : undefined;
  }

  /** The answer begins: from here on a refusal is an event. */
  begin(): void {
    if (this.#res.headersSent) return;
    this.#res.writeHead(200, {
      'Content-Type': 'text/event-stream',
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
      // nginx would hold the events back.
      'X-Accel-Buffering': 'no',
    });
    this.#res.flushHeaders();
  }

  /** Some are left out where they come too fast; `last` ones never. */
  tell(event: string, data: object, last = false): void {
    const now = performance.now();
    if (!last && now - (this.#last.get(event) ?? -restMs) < restMs) return;
    this.#last.set(event, now);
    this.#write(event, data);
  }

  async done(data: object): Promise<void> {
    this.#write('done', data);
    await this.#end();
  }

  async failed(error: unknown): Promise<void> {
    const { status, body } = toApiError(toErrorInfo(error));
    this.#write('error', { status, ...body });
    await this.#end();
  }

  get begun(): boolean {
    return this.#res.headersSent;
  }

  #write(event: string, data: object): void {
    if (this.#res.writable) this.#res.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  /** Resolves when the client has the answer, or is gone. */
  #end(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#res.destroyed) return resolve();
      this.#res.once('close', resolve);
      this.#res.end(() => resolve());
    });
  }
}
