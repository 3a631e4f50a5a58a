/**
 * Stands for an instance, in a network namespace of its own: listens on a port, and tries to reach others
 * when it is asked to. One JSON text a line: `{"listen": true}` is answered with `{"port"}`, `{"tries":
 * [[address, port], …], "ms"}` with `{"results", "met"}`: what came of each, and how many connections came
 * in. It ends with its standard input.
 */
import { type AddressInfo, connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';

export type TryResult = 'connected' | 'refused' | 'timeout' | 'unreachable';

interface Order {
  readonly tries: readonly (readonly [string, number])[];
  readonly ms: number;
}

let met = 0;
const server = createServer((socket) => {
  met++;
  socket.on('error', () => {});
  socket.end('gantry');
}).listen(0, '0.0.0.0', () => say({ port: (server.address() as AddressInfo).port }));

const orders = createInterface({ input: process.stdin });
orders.on('line', async (line) => {
  const { tries, ms } = JSON.parse(line) as Order;
  const results = await Promise.all(tries.map(([host, port]) => attempt(host, port, ms)));
  say({ results, met });
});
orders.on('close', () => process.exit(0));

function attempt(host: string, port: number, ms: number): Promise<TryResult> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (result: TryResult) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(result);
    };
    const timer = setTimeout(() => end('timeout'), ms);
    socket.once('connect', () => end('connected'));
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') return end('refused');
      end(error.code === 'ETIMEDOUT' ? 'timeout' : 'unreachable');
    });
  });
}

function say(what: unknown): void {
  process.stdout.write(`${JSON.stringify(what)}\n`);
}
