import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import test from 'node:test';
import { answer, answerJson, warningHeaders, withRequestId } from './context.ts';
import { Line, serve } from './http-test-kit.ts';

/** What a client gets, byte for byte but for the date. */
async function wire(
  t: { after(end: () => unknown): void },
  work: (res: ServerResponse) => void,
  method = 'GET',
): Promise<string> {
  const line = await Line.open(t, await serve(t, (_req, res) => work(res)));
  line.send(`${method} / HTTP/1.1`, 'Host: x', 'Connection: close', '', '');
  return (await line.closed()).replace(/Date: [^\r]*\r\n/, '');
}

test('an answer without a body says so, and has the id of its request', async (t) => {
  const text = await wire(t, (res) => answer(withRequestId(res, 'r-1'), 202, { Location: '/x' }));
  assert.equal(
    text,
    'HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nLocation: /x\r\nX-Request-Id: r-1\r\nConnection: close\r\n\r\n',
  );
});

test('a 204 has no Content-Length (RFC 9110, section 8.6)', async (t) => {
  const text = await wire(t, (res) => answer(withRequestId(res, 'r-1'), 204, { Range: '0-4' }));
  assert.equal(
    text,
    'HTTP/1.1 204 No Content\r\nRange: 0-4\r\nX-Request-Id: r-1\r\nConnection: close\r\n\r\n',
  );
});

test('JSON has its length in bytes; HEAD gets the head alone', async (t) => {
  const work = (res: ServerResponse) => answerJson(withRequestId(res, 'r-1'), 200, { a: 'ü' });
  const text = await wire(t, work);
  assert.match(text, /Content-Type: application\/json\r\nContent-Length: 10\r\n/);
  const head = await wire(t, work, 'HEAD');
  assert.match(head, /Content-Length: 10\r\n[\s\S]*\r\n\r\n$/);
});

test('warnings are quoted, in plain characters, at most 4096 bytes', () => {
  assert.deepEqual(warningHeaders([]), {});
  assert.deepEqual(warningHeaders(['plain', 'with "quotes" and \\, ü, \r\nX: y']), {
    Warning: ['299 - "plain"', "299 - \"with 'quotes' and ', ?, ??X: y\""],
  });
  const { Warning } = warningHeaders(Array.from({ length: 100 }, () => 'x'.repeat(100)));
  assert.ok(Array.isArray(Warning));
  assert.equal(Warning.length, Math.floor(4096 / 108));
});
