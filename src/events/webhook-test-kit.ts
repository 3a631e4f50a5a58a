import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A message as it came. */
export interface Received {
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export interface Receiver {
  readonly url: string;
  readonly received: Received[];
  /** How the next messages are answered; 204 unless told. */
  answer: (message: Received) => Answer | Promise<Answer>;
  /** Resolves once so many came. */
  count(messages: number): Promise<void>;
  close(): Promise<void>;
}

export interface Answer {
  readonly status: number;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

/** A server that webhooks are sent to, on the loopback address. */
export async function openReceiver(t: { after(fn: () => unknown): void }): Promise<Receiver> {
  let wake = () => {};
  const server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', async () => {
      const message = {
        ...{ path: req.url ?? '', headers: req.headers },
        body: Buffer.concat(chunks).toString('utf8'),
      };
      receiver.received.push(message);
      wake();
      const { status, headers = {}, body } = await receiver.answer(message);
      res.writeHead(status, headers).end(body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const receiver: Receiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    received: [],
    answer: () => ({ status: 204 }),
    async count(messages) {
      while (receiver.received.length < messages) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  t.after(() => receiver.close());
  return receiver;
}
