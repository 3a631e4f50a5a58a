/**
 * Sends one request, or some in turn, again and again over keep-alive connections, and prints how many were answered:
 * `node raw-load.ts '<JSON of LoadOrder>'`. On bare sockets, so that it takes little of the processor that
 * the server under test needs, too.
 */
import { connect } from 'node:net';

export interface LoadOrder {
  readonly url: string;
  /** In turn, in place of the URL's own. */
  readonly paths?: readonly string[];
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly connections: number;
  readonly seconds: number;
}

export interface LoadAnswer {
  readonly requests: number;
  readonly seconds: number;
  /** Answers that were not 2xx, and connections that broke. */
  readonly failures: number;
  readonly medianMs: number;
}

/** Bytes of the first whole answer in `bytes`, or undefined while more must come. */
export function answerLength(bytes: Buffer, method: string): number | undefined {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  if (method === 'HEAD') return end + 4;
  const head = bytes.toString('latin1', 0, end).toLowerCase();
  const length = /\r\ncontent-length: *(\d+)/.exec(head)?.[1];
  if (length !== undefined) {
    const whole = end + 4 + Number(length);
    return bytes.length >= whole ? whole : undefined;
  }
  if (!head.includes('\r\ntransfer-encoding: chunked')) return end + 4;
  const last = bytes.indexOf('\r\n0\r\n\r\n', end);
  return last < 0 ? undefined : last + 7;
}

function run(order: LoadOrder): Promise<LoadAnswer> {
  const { hostname, port, pathname, search, host } = new URL(order.url);
  const fields = Object.entries({ host, ...order.headers }).map(([k, v]) => `${k}: ${v}\r\n`);
  const requests = (order.paths ?? [`${pathname}${search}`]).map((path) =>
    Buffer.from(`${order.method} ${path} HTTP/1.1\r\n${fields.join('')}\r\n`, 'latin1'),
  );
  let next = 0;
  const times: number[] = [];
  let failures = 0;
  const started = performance.now();
  const until = started + order.seconds * 1000;

  const one = (): Promise<void> =>
    new Promise((resolve) => {
      let pending: Buffer | undefined;
      let sent = 0;
      const socket = connect({ host: hostname, port: Number(port || 80), noDelay: true });
      const send = () => {
        sent = performance.now();
        if (sent >= until) {
          socket.destroy();
          return;
        }
        socket.write(requests[next++ % requests.length]!);
      };
      socket.on('connect', send);
      socket.on('data', (bytes: Buffer) => {
        const all = pending ? Buffer.concat([pending, bytes]) : bytes;
        const length = answerLength(all, order.method);
        pending = length === undefined ? all : undefined;
        if (length === undefined) return;
        if (all[9] !== 0x32) failures += 1;
        times.push(performance.now() - sent);
        send();
      });
      socket.on('error', () => {
        failures += 1;
      });
      socket.on('close', () => resolve());
    });

  return Promise.all(Array.from({ length: order.connections }, one)).then(() => {
    const seconds = (performance.now() - started) / 1000;
    times.sort((a, b) => a - b);
    return {
      requests: times.length,
      seconds,
      failures,
      medianMs: times[times.length >> 1] ?? Number.NaN,
    };
  });
}

if (import.meta.main) {
  process.stdout.write(JSON.stringify(await run(JSON.parse(process.argv[2]!) as LoadOrder)));
}
