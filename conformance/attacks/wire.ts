import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** One answer as it came over the wire. Header names are lower case. */
export interface WireAnswer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
}

/**
 * A connection whose bytes the test writes itself, for what an HTTP client would not send.
 * Answers are read one after another; `undefined` is a connection that was closed in order.
 */
export class Wire {
  readonly #socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #ended = false;
  #failure: Error | undefined;
  #wake: () => void = () => {};

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#wake();
    });
    socket.on('error', (error) => {
      this.#failure = error;
      this.#wake();
    });
    socket.on('close', () => {
      this.#ended = true;
      this.#wake();
    });
    socket.on('end', () => {
      this.#ended = true;
      this.#wake();
    });
  }

  static async open(origin: string): Promise<Wire> {
    const { hostname, port } = new URL(origin);
    const socket = connect({ host: hostname, port: Number(port), noDelay: true });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.once('connect', resolve);
    socket.once('error', reject);
    await promise;
    return new Wire(socket);
  }

  get closed(): boolean {
    return this.#ended;
  }

  /** Resolves when the kernel has the bytes, or the other end is gone. */
  async write(bytes: string | Uint8Array): Promise<void> {
    if (this.#ended) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#socket.write(bytes, () => resolve());
    await promise;
  }

  /** Headers of a request, each line given, and the empty line. */
  send(lines: readonly string[], body: string | Uint8Array = ''): Promise<void> {
    const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
    return this.write(Buffer.concat([head, Buffer.from(body as Uint8Array)]));
  }

  /** Ends our half of the connection; answers can still be read. */
  end(): void {
    this.#socket.end();
  }

  /** Cuts the connection with a reset. */
  reset(): void {
    this.#socket.resetAndDestroy();
  }

  close(): void {
    this.#socket.destroy();
  }

  /** The next answer, a 100 included. Undefined: closed before one began. Rejects after `within` ms. */
  async answer(within = 10_000, method = 'GET'): Promise<WireAnswer | undefined> {
    const deadline = Date.now() + within;
    const headEnd = await this.#until(() => this.#received.indexOf('\r\n\r\n'), deadline);
    if (headEnd < 0) {
      assert.equal(
        this.#received.length,
        0,
        `half an answer: ${this.#received.toString('latin1')}`,
      );
      return undefined;
    }
    const [first = '', ...lines] = this.#received.toString('latin1', 0, headEnd).split('\r\n');
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(first)?.[1]);
    assert.ok(status, `no status line: ${first}`);
    const headers = new Map<string, string>();
    for (const line of lines) {
      const colon = line.indexOf(':');
      headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
    }
    this.#received = this.#received.subarray(headEnd + 4);
    const bodyless = method === 'HEAD' || status < 200 || status === 204 || status === 304;
    const body = bodyless ? Buffer.alloc(0) : await this.#body(headers, deadline);
    return { status, headers, body };
  }

  /** By its length, in chunks, or to the end of the connection (RFC 9112, 6.3). */
  async #body(headers: ReadonlyMap<string, string>, deadline: number): Promise<Buffer> {
    const announced = headers.get('content-length');
    if (announced !== undefined) return this.#take(Number(announced), deadline);
    if (!/\bchunked\b/i.test(headers.get('transfer-encoding') ?? '')) {
      await this.expectClosed(Math.max(1, deadline - Date.now()));
      return this.#received;
    }
    const pieces: Buffer[] = [];
    for (;;) {
      const lineEnd = await this.#until(() => this.#received.indexOf('\r\n'), deadline);
      assert.ok(lineEnd > 0, 'an answer in chunks that was cut short');
      const size = Number.parseInt(this.#received.toString('latin1', 0, lineEnd), 16);
      await this.#take(lineEnd + 2, deadline);
      pieces.push(await this.#take(size, deadline));
      await this.#take(2, deadline);
      if (size === 0) return Buffer.concat(pieces);
    }
  }

  async #take(length: number, deadline: number): Promise<Buffer> {
    const enough = () => (this.#received.length >= length ? 0 : -1);
    assert.ok((await this.#until(enough, deadline)) >= 0, 'an answer that was cut short');
    const taken = this.#received.subarray(0, length);
    this.#received = this.#received.subarray(length);
    return taken;
  }

  /** Resolves once the other end has closed the connection; rejects where it stays open. */
  async expectClosed(within = 10_000): Promise<void> {
    const deadline = Date.now() + within;
    while (!this.#ended) {
      assert.ok(Date.now() < deadline, `the connection is still open after ${within} ms`);
      await this.#pause(deadline);
    }
  }

  async #until(find: () => number, deadline: number): Promise<number> {
    for (;;) {
      const found = find();
      if (found >= 0) return found;
      if (this.#ended || this.#failure) return -1;
      assert.ok(Date.now() < deadline, 'no answer in time: the server hangs');
      await this.#pause(deadline);
    }
  }

  async #pause(deadline: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const stop = new AbortController();
    const timer = delay(Math.max(1, deadline - Date.now()), undefined, { signal: stop.signal });
    await Promise.race([promise, timer]);
    stop.abort();
    await timer.catch(() => {});
  }
}

/** Opens a connection for one use and closes it after that. */
export async function withWire<T>(origin: string, use: (wire: Wire) => Promise<T>): Promise<T> {
  const wire = await Wire.open(origin);
  try {
    return await use(wire);
  } finally {
    wire.close();
  }
}

export function requestLines(
  origin: string,
  method: string,
  target: string,
  headers: Readonly<Record<string, string>> = {},
): string[] {
  return [
    `${method} ${target} HTTP/1.1`,
    `Host: ${new URL(origin).host}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ];
}

/**
 * After a refusal, the connection serves another request or is closed in order: never half an answer,
 * never silence.
 */
export async function expectUsableOrClosed(
  wire: Wire,
  origin: string,
  refused: WireAnswer,
): Promise<void> {
  if (/\bclose\b/i.test(refused.headers.get('connection') ?? '')) {
    await wire.expectClosed();
    return;
  }
  await wire.send(requestLines(origin, 'GET', '/healthz'));
  const next = await wire.answer();
  if (next !== undefined) assert.equal(next.status, 200, 'the connection answers something else');
}
