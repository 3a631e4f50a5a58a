import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, get, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { sendStream } from './send-stream.ts';

const size = 256 << 10;

/** `count` chunks, each in memory of its own, and what they were. */
function chunks(count: number): { list: Buffer[]; all: Buffer } {
  const list = Array.from({ length: count }, (_, at) =>
    Buffer.from(new ArrayBuffer(size)).fill(at),
  );
  return { list, all: Buffer.concat(list) };
}

/** A server that answers with `answer`, and the one answer that a client gets. */
async function ask(t: TestContext, answer: (res: ServerResponse) => void) {
  const server = createServer((_req, res) => answer(res)).listen(0, '127.0.0.1');
  t.after(() => server.closeAllConnections());
  t.after(() => server.close());
  await once(server, 'listening');
  const asked = get({ port: (server.address() as AddressInfo).port, host: '127.0.0.1' });
  asked.on('error', () => {});
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  return { asked, response };
}

test('all bytes come, in order, and the memory of each chunk is given back', async (t) => {
  const { list, all } = chunks(40);
  const sent = Promise.withResolvers<void>();
  const { response } = await ask(t, (res) => {
    sendStream(Readable.from(list, { objectMode: false }), res).then(sent.resolve, sent.reject);
  });
  const got = Buffer.concat(await response.toArray());
  await sent.promise;
  assert.ok(got.equals(all), 'the bytes received are the bytes sent');
  assert.deepEqual(
    list.map((chunk) => chunk.length),
    list.map(() => 0),
  );
});

test('a chunk that lies in memory with others is left alone', async (t) => {
  const whole = Buffer.from(new ArrayBuffer(2 * size)).fill(7);
  const sent = Promise.withResolvers<void>();
  const { response } = await ask(t, (res) => {
    const source = Readable.from([whole.subarray(0, size)], { objectMode: false });
    sendStream(source, res).then(sent.resolve, sent.reject);
  });
  await response.toArray();
  await sent.promise;
  assert.equal(whole.length, 2 * size);
  assert.equal(whole[0], 7);
});

test('an error of the source rejects, and the answer is left to the caller', async (t) => {
  const failure = new Error('the disk failed');
  const sent = Promise.withResolvers<unknown>();
  const { response } = await ask(t, (res) => {
    const source = new Readable({
      read() {
        this.push(Buffer.alloc(10));
        this.destroy(failure);
      },
    });
    res.writeHead(200, { 'Content-Length': 100 }).flushHeaders();
    sendStream(source, res).catch((error: unknown) => {
      sent.resolve(error);
      res.destroy();
    });
  });
  assert.equal(await sent.promise, failure);
  await assert.rejects(response.toArray());
});

test('a client that goes away ends the source', async (t) => {
  const ended = Promise.withResolvers<void>();
  const sent = Promise.withResolvers<unknown>();
  const { asked, response } = await ask(t, (res) => {
    const source = new Readable({
      read() {
        this.push(Buffer.alloc(size));
      },
      destroy(error, done) {
        ended.resolve();
        done(error);
      },
    });
    sendStream(source, res).catch(sent.resolve);
  });
  await once(response, 'readable');
  asked.destroy();
  await ended.promise;
  assert.match(String(await sent.promise), /closed the connection/);
});

test('a client that went away before ends the source, too', async (t) => {
  const sent = Promise.withResolvers<unknown>();
  const source = new Readable({ read() {} });
  const { asked, response } = await ask(t, (res) => {
    res.flushHeaders();
    res.on('close', () => sendStream(source, res).catch(sent.resolve));
  });
  response.on('error', () => {});
  asked.destroy();
  assert.match(String(await sent.promise), /closed the connection/);
  assert.ok(source.destroyed);
});
