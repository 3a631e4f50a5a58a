import { createSocket } from 'node:dgram';
import { once } from 'node:events';

/** Answers TXT questions over UDP: NXDOMAIN for what it does not know, and nothing at all where it is `silent`. */
export interface DnsServer {
  /** `127.0.0.1:port`. */
  readonly address: string;
  readonly texts: Map<string, readonly string[]>;
  readonly asked: string[];
  silent: boolean;
}

export async function startDns(t: { after(end: () => unknown): void }): Promise<DnsServer> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  t.after(() => socket.close());
  const server: DnsServer = {
    address: `127.0.0.1:${socket.address().port}`,
    texts: new Map(),
    asked: [],
    silent: false,
  };
  socket.on('message', (query, from) => {
    const { name, end } = nameAt(query, 12);
    server.asked.push(name);
    if (server.silent) return;
    const texts = server.texts.get(name);
    const head = Buffer.from(query.subarray(0, 12));
    // An answer, with recursion, and its code.
    head.writeUInt16BE(0x8180 | (texts ? 0 : 3), 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt16BE(texts?.length ?? 0, 6);
    head.writeUInt32BE(0, 8);
    const records = (texts ?? []).map(txtRecord);
    socket.send(
      Buffer.concat([head, query.subarray(12, end + 4), ...records]),
      from.port,
      from.address,
    );
  });
  return server;
}

function nameAt(message: Buffer, from: number): { name: string; end: number } {
  const labels: string[] = [];
  let at = from;
  for (let length = message[at]!; length > 0; length = message[at]!) {
    labels.push(message.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.').toLowerCase(), end: at + 1 };
}

/** Its name points at the question's. Texts are split as records have to be. */
function txtRecord(text: string): Buffer {
  const chunks = text.match(/.{1,200}/gs) ?? [''];
  const data = Buffer.concat(chunks.map((one) => Buffer.from([one.length, ...Buffer.from(one)])));
  const head = Buffer.from([0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 1, 0, 0]);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}
