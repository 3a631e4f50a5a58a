import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import type { Duplex } from 'node:stream';
import type { InstanceLease } from '../scheduler/activation.ts';
import { type ExchangeDeps, mostAttempts, timerLimit } from './exchange-deps.ts';
import type { Redirect } from './placement.ts';
import { closeSoon, headOf, joinEnds } from './raw-answer.ts';
import { instanceFailed, internal, malformed, refusalOf, tooLate } from './refusal.ts';
import { reportEnd } from './report.ts';
import { hasBody } from './request-body.ts';
import { cleanResponseHeaders } from './response-headers.ts';
import { type Placed, serverTiming, upstreamHeaders } from './upstream-request.ts';

/**
 * A connection that is to become something else than HTTP, such as a WebSocket. It holds its place in the
 * instance until both ends have closed.
 */
export class Tunnel {
  readonly #deps: ExchangeDeps;
  readonly #id: string;
  readonly #req: IncomingMessage;
  readonly #client: Duplex;
  readonly #head: Buffer;
  readonly #gone: () => void;
  readonly #aborted = new AbortController();
  readonly #began = performance.now();
  readonly #at: number;
  #placed: Placed | undefined;
  #lease: InstanceLease | undefined;
  #upstream: ClientRequest | undefined;
  #container: Duplex | undefined;
  #timer: NodeJS.Timeout | undefined;
  #attempts = 0;
  #status = 0;
  #firstByteMs = 0;
  #sent = 0;
  #received = 0;
  #done = false;

  constructor(
    deps: ExchangeDeps,
    id: string,
    req: IncomingMessage,
    client: Duplex,
    head: Buffer,
    gone: () => void,
  ) {
    this.#deps = deps;
    this.#id = id;
    this.#req = req;
    this.#client = client;
    this.#head = head;
    this.#gone = gone;
    this.#at = deps.now();
    client.on('error', () => {});
    client.once('close', this.#closed);
  }

  /** Never rejects. */
  async open(
    place: (id: string, signal: AbortSignal) => Promise<Placed | Redirect>,
  ): Promise<void> {
    try {
      if (hasBody(this.#req)) throw malformed('A request for an upgrade has no body.');
      const placed = await place(this.#id, this.#aborted.signal);
      if ('redirect' in placed) throw malformed('An upgrade follows no redirect.');
      this.#placed = placed;
      await this.#attempt(placed);
    } catch (error) {
      this.refuse(error);
    }
  }

  async #attempt(placed: Placed): Promise<void> {
    this.#attempts++;
    const { signal } = this.#aborted;
    signal.throwIfAborted();
    const lease = await this.#deps.activator.acquire(placed.target, { id: this.#id, signal });
    if (signal.aborted || this.#done) {
      lease.release({});
      this.#end(499, 'CLIENT_CLOSED');
      return;
    }
    this.#lease = lease;
    this.#deps.observer.started({
      target: placed.target,
      requestId: this.#id,
      instanceId: lease.instanceId,
      at: this.#deps.now(),
    });
    const { requestTimeoutMs = this.#deps.limits.timeoutMs } = placed.target.service.settings;
    this.#timer ??= setTimeout(
      () => (this.#status ? this.#cut('REQUEST_TIMEOUT') : this.refuse(tooLate(requestTimeoutMs))),
      Math.min(requestTimeoutMs, timerLimit),
    );
    this.#send(placed, lease, performance.now());
  }

  #send(placed: Placed, lease: InstanceLease, sentAt: number): void {
    const headers = upstreamHeaders(this.#req, placed, lease);
    headers.push('connection', 'Upgrade', 'upgrade', this.#req.headers.upgrade!);
    const upstream = request({
      host: lease.address,
      port: lease.port,
      method: this.#req.method,
      path: placed.request.path,
      headers,
      // A connection of its own: it is not given back.
      agent: false,
    });
    this.#upstream = upstream;
    let connected = false;
    upstream.once('socket', (socket) =>
      socket.once('connect', () => {
        connected = true;
        socket.setNoDelay(true);
      }),
    );
    upstream.once('upgrade', (res, socket, head) => {
      this.#answer(res, placed, lease, sentAt);
      this.#join(socket, head);
    });
    upstream.once('response', (res) => {
      this.#answer(res, placed, lease, sentAt);
      res.on('data', (chunk: Buffer) => {
        this.#received += chunk.length;
      });
      res.on('error', () => this.#cut('INSTANCE_FAILED'));
      res.on('end', () => {
        this.#end(this.#status, undefined);
        closeSoon(this.#client);
      });
      res.pipe(this.#client);
    });
    upstream.on('error', (error) => {
      if (this.#done) return;
      if (this.#status) {
        this.#cut('INSTANCE_FAILED');
      } else if (!connected && this.#attempts < mostAttempts) {
        this.#release(true);
        this.#attempt(placed).catch((reason: unknown) => this.refuse(reason));
      } else {
        this.refuse(instanceFailed(error), true);
      }
    });
    upstream.end();
  }

  /** The head of the container's answer. */
  #answer(res: IncomingMessage, placed: Placed, lease: InstanceLease, sentAt: number): void {
    const status = res.statusCode!;
    const added = {
      ...lease.contract.responseHeaders(placed.request, lease.place),
      'x-gantry-id': this.#id,
    };
    const headers = cleanResponseHeaders(res.rawHeaders, status, placed.place, added);
    if (lease.start) {
      const app = performance.now() - sentAt;
      headers.push('server-timing', serverTiming({ ...lease.start, app }));
    }
    if (status === 101) {
      headers.push('connection', 'Upgrade', 'upgrade', res.headers.upgrade ?? 'websocket');
    } else {
      // Its end is the connection's: what was chunked is so no more.
      headers.push('connection', 'close');
    }
    this.#status = status;
    this.#firstByteMs = performance.now() - this.#began;
    this.#client.write(headOf(status, headers), 'latin1');
  }

  /** Both ways as bytes, each end closed on its own. */
  #join(container: Duplex, head: Buffer): void {
    clearTimeout(this.#timer);
    this.#container = container;
    const client = this.#client;
    joinEnds({ socket: client, head: this.#head }, { socket: container, head });
    client.on('data', (chunk: Buffer) => {
      this.#sent += chunk.length;
    });
    container.on('data', (chunk: Buffer) => {
      this.#received += chunk.length;
    });
    // What broke on one side cannot end well on the other; an end alone may.
    container.once('close', () => {
      if (!container.readableEnded) client.destroy();
      else if (client.closed) this.#end(this.#status, undefined);
    });
  }

  /** Answers in place of the container, and closes. Does nothing where the request is done. */
  refuse(error: unknown, broken = false): void {
    if (this.#done) return;
    if (this.#aborted.signal.aborted) {
      this.#end(499, 'CLIENT_CLOSED');
      return;
    }
    const known = refusalOf(error);
    if (!known) this.#deps.failed(error, this.#id);
    const { status, headers, body, code } = known ?? internal();
    const pairs = Object.entries(headers).flat();
    pairs.push('x-gantry-id', this.#id, 'content-length', String(Buffer.byteLength(body)));
    pairs.push('connection', 'close');
    this.#end(status, code, broken);
    this.#client.end(`${headOf(status, pairs)}${body}`);
    closeSoon(this.#client);
  }

  /** Both ends at once. */
  close(): void {
    this.#cut('STOPPING');
  }

  #cut(code: string): void {
    this.#end(this.#status, code);
    this.#client.destroy();
  }

  readonly #closed = (): void => {
    this.#aborted.abort();
    const container = this.#container;
    const end = (): void =>
      this.#end(this.#status || 499, this.#status ? undefined : 'CLIENT_CLOSED');
    if (!container) {
      // In the queue, acquire rejects.
      if (this.#lease) end();
      return;
    }
    if (this.#client.errored || !container.writableEnded) container.destroy();
    if (container.closed) end();
    else container.once('close', end);
  };

  #release(broken: boolean): void {
    const lease = this.#lease;
    this.#lease = undefined;
    lease?.release(broken ? { broken } : {});
  }

  #end(status: number, error: string | undefined, broken = false): void {
    if (this.#done) return;
    this.#done = true;
    clearTimeout(this.#timer);
    const lease = this.#lease;
    this.#upstream?.destroy();
    this.#container?.destroy();
    this.#release(broken);
    this.#gone();
    reportEnd(this.#deps.observer, this.#placed, lease, {
      id: this.#id,
      at: this.#at,
      began: this.#began,
      status,
      error,
      firstByteMs: this.#firstByteMs,
      requestBytes: this.#sent,
      responseBytes: this.#received,
    });
  }
}
