/**
 * A TCP relay that leaves every byte as it is and notes which requests were made and how they were answered:
 * evidence for mounts, and for what went wrong.
 */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

export interface Exchange {
  readonly method: string;
  readonly target: string;
  /** Undefined until, and unless, it was answered. */
  status?: number;
}

export interface Wiretap {
  /** `127.0.0.1:<port>`: what clients are given as the registry's host. */
  readonly host: string;
  readonly exchanges: readonly Exchange[];
  /** Where connections go from now on. */
  aim(target: Target): void;
  forget(): void;
  /** The newest exchanges, a line each, credentials left out. */
  tail(count?: number): string;
  close(): Promise<void>;
}

export interface Target {
  readonly host: string;
  readonly port: number;
}

const requestLine = /(GET|HEAD|POST|PUT|PATCH|DELETE) (\/\S*) HTTP\/1\.1\r\n/g;
const statusLine = /HTTP\/1\.1 ([2-5]\d\d)/g;
/** Longer than any request line that clients send here; a line cut by a packet's end is found with the next. */
const carried = 8192;

/** Before it has a target, it takes no connection. */
export async function startWiretap(first?: Target): Promise<Wiretap> {
  let target = first;
  const exchanges: Exchange[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    if (!target) return client.destroy();
    const upstream = connect(target.port, target.host);
    const waiting: Exchange[] = [];
    listen(client, requestLine, ([, method, path]) => {
      const exchange = { method: method!, target: path! };
      exchanges.push(exchange);
      waiting.push(exchange);
    });
    listen(upstream, statusLine, ([, status]) => {
      const exchange = waiting.shift();
      if (exchange) exchange.status = Number(status);
    });
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        to.destroySoon();
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no TCP address');

  return {
    host: `127.0.0.1:${address.port}`,
    exchanges,
    aim(next) {
      target = next;
    },
    forget() {
      exchanges.length = 0;
    },
    tail: (count = 40) =>
      exchanges
        .slice(-count)
        .map(
          (one) =>
            `${one.status ?? '---'} ${one.method} ${one.target.replace(/(_state|token)=[^&]+/g, '$1=…')}`,
        )
        .join('\n'),
    async close() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** Calls for each match of `pattern` in what the socket receives, wherever packets are cut. */
function listen(socket: Socket, pattern: RegExp, found: (match: RegExpExecArray) => void): void {
  let rest = '';
  socket.on('data', (bytes: Buffer) => {
    const text = rest + bytes.toString('latin1');
    let end = 0;
    for (const match of text.matchAll(pattern)) {
      found(match);
      end = match.index + match[0].length;
    }
    rest = text.slice(Math.max(end, text.length - carried));
  });
}
