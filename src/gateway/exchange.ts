import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Dispatcher } from 'undici';
import type { InstanceLease } from '../scheduler/activation.ts';
import { type ExchangeDeps, mostAttempts, mostInformed, timerLimit } from './exchange-deps.ts';
import {
  answerTooLarge,
  causeOf,
  GatewayError,
  instanceFailed,
  internal,
  refusalOf,
  tooLarge,
  tooLate,
} from './refusal.ts';
import { reportEnd } from './report.ts';
import { endUnread, hasBody, RequestBody } from './request-body.ts';
import { cleanFields, cleanResponseHeaders } from './response-headers.ts';
import { type Placed, serverTiming, upstreamHeaders } from './upstream-request.ts';
import { writeRefusal } from './write-refusal.ts';

/** `answered`: all came; `broken`: the instance could not be reached; `cut`: its answer is not waited for. */
type Outcome = 'answered' | 'broken' | 'cut';

/** One request on its way through the gateway; undici's handler as well, so that it takes no object more. */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly id: string;
  readonly #deps: ExchangeDeps;
  readonly #req: IncomingMessage;
  readonly #res: ServerResponse;
  readonly #aborted = new AbortController();
  readonly #ended: () => void;
  readonly #began = performance.now();
  readonly #at: number;
  #phase: 'waiting' | 'sending' | 'answering' | 'done' = 'waiting';
  #placed: Placed | undefined;
  #lease: InstanceLease | undefined;
  #controller: Dispatcher.DispatchController | undefined;
  #body: RequestBody | undefined;
  #timer: NodeJS.Timeout | undefined;
  #attempts = 0;
  #sentAt = 0;
  #firstByteMs = 0;
  #responseBytes = 0;
  #status = 0;
  #error: string | undefined;
  #wrote = false;
  #informed = 0;

  constructor(
    deps: ExchangeDeps,
    id: string,
    req: IncomingMessage,
    res: ServerResponse,
    ended: () => void,
  ) {
    this.#deps = deps;
    this.id = id;
    this.#req = req;
    this.#res = res;
    this.#ended = ended;
    this.#at = deps.now();
    res.on('close', this.#closed);
  }

  /** Aborted where the client goes away. */
  get signal(): AbortSignal {
    return this.#aborted.signal;
  }

  get #over(): boolean {
    return this.#phase === 'done';
  }

  /** To the same place with its slash. */
  redirect(location: string): void {
    this.#end(308, undefined);
    this.#res.writeHead(308, { location, 'content-length': 0, 'x-gantry-id': this.id }).end();
  }

  /** Takes a place in an instance and sends the request there. Never rejects. */
  async forward(placed: Placed): Promise<void> {
    this.#placed = placed;
    const { limits } = this.#deps;
    try {
      if (Number(this.#req.headers['content-length'] ?? 0) > limits.request) {
        throw tooLarge(limits.request);
      }
      await this.#attempt(placed);
    } catch (error) {
      this.refuse(error);
    }
  }

  async #attempt(placed: Placed): Promise<void> {
    this.#phase = 'waiting';
    this.#attempts++;
    this.signal.throwIfAborted();
    const lease = await this.#deps.activator.acquire(placed.target, this);
    if (this.signal.aborted || this.#over) {
      lease.release({});
      this.#end(499, 'CLIENT_CLOSED');
      return;
    }
    this.#lease = lease;
    this.#deps.observer.started({
      target: placed.target,
      requestId: this.id,
      instanceId: lease.instanceId,
      at: this.#deps.now(),
    });
    this.#timer ??= setTimeout(this.#late, this.#timeoutMs);
    this.#sentAt = performance.now();
    this.#phase = 'sending';
    lease.dispatcher.dispatch(this.#options(placed, lease), this);
  }

  #options(placed: Placed, lease: InstanceLease): Dispatcher.DispatchOptions {
    const req = this.#req;
    const headers = upstreamHeaders(req, placed, lease);
    // Trailers of answers are sent on.
    if (req.headers.te?.includes('trailers')) headers.push('te', 'trailers');
    let body: RequestBody | null = null;
    if (hasBody(req)) {
      const limit = this.#deps.limits.request;
      body = new RequestBody(req, this.#res, { limit, tooLarge: () => tooLarge(limit) });
      this.#body = body;
      const length = req.headers['content-length'];
      if (length !== undefined) headers.push('content-length', length);
    }
    const { path } = placed.request;
    const method = req.method as Dispatcher.HttpMethod;
    return { path, method, headers, body, headersTimeout: 0, bodyTimeout: 0 };
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#phase === 'done') controller.abort(new Error('the client is gone'));
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    fields: Readonly<Record<string, string | string[] | undefined>>,
  ): void {
    if (this.#phase === 'done') return;
    const raw = (controller as { rawHeaders?: Buffer[] }).rawHeaders ?? [];
    if (status < 200) {
      this.#inform(status, raw);
      return;
    }
    const { response: limit } = this.#deps.limits;
    if (Number(fields['content-length'] ?? 0) > limit && this.#req.method !== 'HEAD') {
      this.refuse(answerTooLarge(limit));
      return;
    }
    const { contract, place, start } = this.#lease!;
    const placed = this.#placed!;
    this.#firstByteMs = performance.now() - this.#began;
    const added = { ...contract.responseHeaders(placed.request, place), 'x-gantry-id': this.id };
    const headers = cleanResponseHeaders(raw, status, placed.place, added);
    if (start) {
      const app = performance.now() - this.#sentAt;
      headers.push('server-timing', serverTiming({ ...start, app }));
    }
    this.#status = status;
    if (contract.isFunctionError(status, fields as Record<string, string>)) {
      this.#error = 'FUNCTION_ERROR';
    }
    this.#phase = 'answering';
    this.#res.writeHead(status, headers);
    // Most answers end in the same read: then head and body leave in one packet.
    process.nextTick((exchange: Exchange) => exchange.#flush(), this);
  }

  #inform(status: number, raw: Buffer[]): void {
    if (this.#informed++ > mostInformed || this.#req.httpVersionMinor < 1) return;
    this.#res.writeInformation(status, cleanFields(raw).flat());
  }

  #flush(): void {
    if (!this.#wrote && this.#phase === 'answering') this.#res.flushHeaders();
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#phase === 'done') return;
    this.#responseBytes += chunk.length;
    this.#wrote = true;
    if (this.#responseBytes > this.#deps.limits.response) {
      this.#cut(this.#status, 'RESPONSE_TOO_LARGE');
    } else if (!this.#res.write(chunk)) {
      controller.pause();
      this.#res.once('drain', () => controller.resume());
    }
  }

  onResponseEnd(controller: Dispatcher.DispatchController): void {
    if (this.#phase === 'done') return;
    const raw = (controller as { rawTrailers?: Buffer[] }).rawTrailers;
    if (raw && raw.length > 0) this.#res.addTrailers(cleanFields(raw));
    this.#wrote = true;
    this.#end(this.#status, this.#error, 'answered');
    endUnread(this.#req, this.#res);
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    if (this.#phase === 'done') return;
    if (this.#phase === 'answering') {
      this.#cut(this.#status, 'INSTANCE_FAILED');
      return;
    }
    if (error instanceof GatewayError) {
      this.refuse(error);
      return;
    }
    // The client's end may be seen on the body first.
    if (this.#req.destroyed && !this.#req.complete) {
      this.#end(499, 'CLIENT_CLOSED');
      return;
    }
    const { closed, invalid } = causeOf(error);
    if (!this.#controller && !invalid && this.#attempts < mostAttempts) {
      this.#release(!closed);
      this.#attempt(this.#placed!).catch((reason: unknown) => this.refuse(reason));
    } else {
      this.refuse(instanceFailed(error), closed ? 'cut' : 'broken');
    }
  }

  /** Answers in place of the container. Does nothing where the request is done. */
  refuse(error: unknown, outcome: Outcome = 'cut'): void {
    if (this.#phase === 'done') return;
    if (this.signal.aborted) return void this.#end(499, 'CLIENT_CLOSED');
    const known = refusalOf(error);
    if (!known) this.#deps.failed(error, this.id);
    const refusal = known ?? internal();
    if (this.#res.headersSent) {
      this.#cut(this.#status, refusal.code);
      return;
    }
    this.#firstByteMs = performance.now() - this.#began;
    this.#responseBytes = Buffer.byteLength(refusal.body);
    this.#end(refusal.status, refusal.code, outcome);
    const sandboxed = this.#placed?.place.prefix !== undefined;
    writeRefusal(this.#req, this.#res, refusal, { id: this.id, sandboxed });
  }

  /** The client learns of a broken answer by its connection alone. */
  #cut(status: number, code: string): void {
    this.#end(status, code);
    this.#res.destroy();
  }

  readonly #closed = (): void => {
    if (this.#phase === 'done') return;
    this.#aborted.abort();
    // In the queue, acquire rejects.
    if (this.#phase !== 'waiting') this.#end(499, 'CLIENT_CLOSED');
  };

  readonly #late = (): void => {
    if (this.#phase === 'done') return;
    if (this.#phase === 'answering') this.#cut(this.#status, 'REQUEST_TIMEOUT');
    else this.refuse(tooLate(this.#timeoutMs));
  };

  get #timeoutMs(): number {
    const { requestTimeoutMs } = this.#placed!.target.service.settings;
    return Math.min(requestTimeoutMs ?? this.#deps.limits.timeoutMs, timerLimit);
  }

  #release(broken: boolean): void {
    const lease = this.#lease;
    this.#lease = undefined;
    lease?.release(broken ? { broken } : {});
  }

  /** Once: what the request held is given back, and it is told of. */
  #end(status: number, error: string | undefined, outcome: Outcome = 'cut'): void {
    if (this.#phase === 'done') return;
    this.#phase = 'done';
    clearTimeout(this.#timer);
    const lease = this.#lease;
    if (outcome === 'cut') this.#controller?.abort(new Error(error));
    // What is still on its way is for endUnread to drop.
    this.#body?.destroy();
    this.#release(outcome === 'broken');
    this.#ended();
    reportEnd(this.#deps.observer, this.#placed, lease, {
      id: this.id,
      at: this.#at,
      began: this.#began,
      status,
      error,
      firstByteMs: this.#firstByteMs,
      requestBytes: this.#body?.bytes ?? 0,
      responseBytes: this.#responseBytes,
    });
  }
}
