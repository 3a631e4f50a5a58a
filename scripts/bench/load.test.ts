import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { answerLength, type LoadAnswer } from './clients/raw-load.ts';
import { runClient } from './clients/run-client.ts';
import { readWrk } from './load.ts';

const report = `Running 2s test @ http://127.0.0.1:1/
  1 threads and 32 connections
  37062 requests in 2.01s, 51.22MB read
Requests/sec:  18437.03
`;

test("wrk's report is read", () => {
  assert.deepEqual(readWrk(report), { requests: 37062, perSecond: 18437.03 });
});

test('answers that failed are no result', () => {
  assert.throws(() => readWrk(`${report}  Non-2xx or 3xx responses: 7\n`), /Non-2xx .* 7/);
  assert.throws(() => readWrk(`${report}  Socket errors: connect 0, read 3\n`), /read 3/);
  assert.throws(() => readWrk('unable to connect'), /no report/);
});

const head = 'HTTP/1.1 200 OK\r\n';
for (const [name, text, method, expected] of [
  ['a body of a length', `${head}Content-Length: 3\r\n\r\nabc`, 'GET', 41],
  ['a body of which more comes', `${head}Content-Length: 4\r\n\r\nabc`, 'GET', undefined],
  ['a head that is not whole', `${head}Content-Length: 3\r\n`, 'GET', undefined],
  ['HEAD, without its body', `${head}Content-Length: 3\r\n\r\n`, 'HEAD', 38],
  ['chunks', `${head}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n`, 'GET', 58],
  ['chunks that go on', `${head}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n`, 'GET', undefined],
] as const) {
  test(`the end of an answer: ${name}`, () => {
    assert.equal(answerLength(Buffer.from(text), method), expected);
  });
}

test('the load is counted as the server counts it, failures too', async (t) => {
  let asked = 0;
  const server = createServer((_req, res) => {
    asked += 1;
    res.writeHead(asked % 2 === 0 ? 404 : 200).end('x');
  }).listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  const answer = await runClient<LoadAnswer>('raw-load.ts', {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/path`,
    method: 'GET',
    headers: {},
    connections: 2,
    seconds: 0.2,
  });
  assert.equal(answer.requests, asked);
  assert.equal(answer.failures, Math.floor(asked / 2));
});
