/** A WebSocket client (RFC 6455) that says any Host, and reads whole unfragmented messages. */
import { randomBytes } from 'node:crypto';
import { type IncomingMessage, request } from 'node:http';
import type { Socket } from 'node:net';

export interface WebSocketClient {
  readonly protocol: string | undefined;
  send(message: string | Buffer): void;
  /** The next message; rejects where the connection ends before it. */
  receive(): Promise<Buffer>;
  /** Resolves when the other side has closed, too. */
  close(): Promise<void>;
  /** Without a word. */
  destroy(): void;
}

export function openWebSocket(
  origin: string,
  host: string,
  path: string,
  protocol?: string,
): Promise<WebSocketClient> {
  const url = new URL(path, origin);
  return new Promise((resolve, reject) => {
    const sent = request({
      ...{ host: url.hostname, port: url.port, path: url.pathname + url.search, agent: false },
      headers: {
        host: `${host}:${url.port}`,
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': randomBytes(16).toString('base64'),
        ...(protocol ? { 'sec-websocket-protocol': protocol } : {}),
      },
    });
    sent.on('error', reject);
    sent.on('response', (response) => {
      response.resume();
      reject(new Error(`no upgrade: ${response.statusCode}`));
    });
    sent.on('upgrade', (response, socket, head) => resolve(client(response, socket, head)));
    sent.end();
  });
}

function client(response: IncomingMessage, socket: Socket, head: Buffer): WebSocketClient {
  let pending: Buffer = head;
  const messages: Buffer[] = [];
  const waiting: { resolve: (message: Buffer) => void; reject: (error: Error) => void }[] = [];
  const closed = Promise.withResolvers<void>();
  const take = () => {
    for (let frame = readFrame(pending); frame; frame = readFrame(pending)) {
      pending = pending.subarray(frame.length);
      if (frame.code === 8) closed.resolve();
      else if (waiting.length > 0) waiting.shift()!.resolve(frame.message);
      else messages.push(frame.message);
    }
  };
  socket.on('data', (bytes: Buffer) => {
    pending = Buffer.concat([pending, bytes]);
    take();
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    closed.resolve();
    for (const one of waiting.splice(0)) one.reject(new Error('the connection ended'));
  });
  take();
  return {
    protocol: response.headers['sec-websocket-protocol'],
    send: (message) => {
      socket.write(frameOf(typeof message === 'string' ? 1 : 2, Buffer.from(message)));
    },
    receive() {
      const next = messages.shift();
      if (next) return Promise.resolve(next);
      if (socket.destroyed) return Promise.reject(new Error('the connection ended'));
      return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
    },
    async close() {
      socket.write(frameOf(8, Buffer.from([0x03, 0xe8])));
      await closed.promise;
      socket.destroy();
    },
    destroy: () => socket.destroy(),
  };
}

function frameOf(code: number, message: Buffer): Buffer {
  const mask = randomBytes(4);
  const masked = Buffer.from(message);
  for (let at = 0; at < masked.length; at += 1) masked[at]! ^= mask[at % 4]!;
  const size = Buffer.alloc(message.length < 126 ? 2 : message.length < 65_536 ? 4 : 10);
  size[0] = 0x80 | code;
  if (message.length < 126) size[1] = 0x80 | message.length;
  else if (message.length < 65_536) {
    size[1] = 0x80 | 126;
    size.writeUInt16BE(message.length, 2);
  } else {
    size[1] = 0x80 | 127;
    size.writeBigUInt64BE(BigInt(message.length), 2);
  }
  return Buffer.concat([size, mask, masked]);
}

/** Undefined while more must come. */
function readFrame(bytes: Buffer) {
  if (bytes.length < 2) return undefined;
  const short = bytes[1]! & 0x7f;
  const start = short < 126 ? 2 : short === 126 ? 4 : 10;
  if (bytes.length < start) return undefined;
  const size =
    short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  if (bytes.length < start + size) return undefined;
  return {
    code: bytes[0]! & 0x0f,
    message: Buffer.from(bytes.subarray(start, start + size)),
    length: start + size,
  };
}
