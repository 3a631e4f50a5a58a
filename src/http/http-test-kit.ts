import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { awaitingContinue } from './body.ts';

export interface Ends {
  after(end: () => unknown): void;
}

/** A server on a free port of this machine, closed after the test, with what server.ts adds for bodies. */
export async function serve(t: Ends, listener: RequestListener): Promise<number> {
  const server = createServer(listener);
  server.on('checkContinue', (req, res) => {
    awaitingContinue.add(req);
    listener(req, res);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** A connection that sends what it is told to, byte for byte. */
export class Line {
  readonly socket: Socket;
  /** All that came, as text. */
  received = '';

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      this.received += text;
    });
    socket.on('error', () => {});
  }

  static async open(t: Ends, port: number): Promise<Line> {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    await once(socket, 'connect');
    t.after(() => socket.destroy());
    return new Line(socket);
  }

  send(...lines: string[]): void {
    this.socket.write(lines.join('\r\n'));
  }

  /** Until what came matches. */
  async until(pattern: RegExp): Promise<string> {
    while (!pattern.test(this.received)) {
      if (this.socket.readableEnded || this.socket.destroyed) {
        throw new Error(`closed before ${pattern}: ${JSON.stringify(this.received)}`);
      }
      await Promise.race([once(this.socket, 'data'), once(this.socket, 'close'), this.#end()]);
    }
    return this.received;
  }

  /** Until the other side has sent its last byte. */
  async closed(): Promise<string> {
    if (!this.socket.readableEnded && !this.socket.destroyed) {
      await Promise.race([this.#end(), once(this.socket, 'close')]);
    }
    return this.received;
  }

  #end(): Promise<unknown> {
    return once(this.socket, 'end');
  }
}

/** Settled by hand. */
export function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
