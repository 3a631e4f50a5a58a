/**
 * GETs a blob some times over and drops the bytes: `node get-blob.ts '<JSON of GetOrder>'` prints a
 * `GetAnswer`. Reads into one buffer on a bare socket: a client's own work must not be what is measured.
 */
import { connect } from 'node:net';

export interface GetOrder {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: number;
  readonly times: number;
}

export interface GetAnswer {
  readonly seconds: number;
}

/** Resolves when as many bytes came as a body of `bytes` has, after a head that says 200 and that length. */
function get({ url, headers, bytes }: GetOrder): Promise<void> {
  const { hostname, port, pathname, host } = new URL(url);
  const fields = Object.entries({ host, ...headers, connection: 'close' });
  const head = fields.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  const buffer = Buffer.allocUnsafeSlow(1 << 20);
  return new Promise((resolve, reject) => {
    let left: number | undefined;
    let start = '';
    const socket = connect({
      host: hostname,
      port: Number(port),
      onread: {
        buffer,
        callback(count) {
          if (left !== undefined) {
            left -= count;
          } else {
            start += buffer.toString('latin1', 0, count);
            const end = start.indexOf('\r\n\r\n');
            if (end < 0) return true;
            const right = /^HTTP\/1.1 200 /.test(start) && start.includes(`ength: ${bytes}\r\n`);
            if (!right) socket.destroy(new Error(start.slice(0, 200)));
            left = bytes - (start.length - end - 4);
          }
          if (left <= 0) socket.destroy();
          return true;
        },
      },
    });
    socket.on('error', reject);
    socket.on('close', () => (left === 0 ? resolve() : reject(new Error('the body was cut'))));
    socket.write(`GET ${pathname} HTTP/1.1\r\n${head}\r\n`);
  });
}

if (import.meta.main) {
  const order = JSON.parse(process.argv[2]!) as GetOrder;
  await get(order);
  const started = performance.now();
  for (let at = 0; at < order.times; at += 1) await get(order);
  process.stdout.write(JSON.stringify({ seconds: (performance.now() - started) / 1000 }));
}
