import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import test, { type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { ErrorInfo } from '../oci/errors.ts';
import { acceptBody } from './body.ts';
import { type Answer, withRequestId } from './context.ts';
import { Line, serve } from './http-test-kit.ts';
import { Origins } from './origin.ts';
import { challenge, sendError } from './send-error.ts';

const services = { origins: new Origins({ trustedProxies: [], publicUrl: undefined }) };
const denied: ErrorInfo = { kind: 'denied', message: 'No.' };

async function open(t: TestContext, work: (req: IncomingMessage, res: Answer) => void) {
  const port = await serve(t, async (req, res) => {
    // As every handler does; until then Node does not know that a request has no body.
    await undefined;
    work(req, withRequestId(res, 'r-1'));
  });
  return () => Line.open(t, port);
}
const get = ['GET / HTTP/1.1', 'Host: x', '', ''];

test('a refusal is JSON, and the connection goes on', async (t) => {
  const line = await (await open(t, (req, res) => sendError(req, res, denied)))();
  const body = '{"errors":[{"code":"DENIED","message":"No.","detail":{}}]}';
  for (let times = 1; times <= 2; times++) {
    line.send(...get);
    const text = await line.until(new RegExp(`(DENIED[\\s\\S]*){${times}}`));
    assert.match(text, /^HTTP\/1\.1 403 Forbidden\r\n/);
    assert.match(text, /X-Request-Id: r-1\r\n/);
    assert.match(text, /X-Content-Type-Options: nosniff\r\n/);
    assert.match(text, new RegExp(`Content-Length: ${body.length}\r\n`));
    assert.doesNotMatch(text, /Connection: close/);
  }
});

test('HEAD gets no body; later is said where that helps', async (t) => {
  const kinds = ['denied', 'unavailable', 'too-many-requests'] as const;
  for (const kind of kinds) {
    const line = await (await open(t, (req, res) => sendError(req, res, { ...denied, kind })))();
    line.send('HEAD / HTTP/1.1', 'Host: x', 'Connection: close', '', '');
    const text = await line.closed();
    assert.match(text, /\r\n\r\n$/);
    assert.equal(/Retry-After: \d+/.test(text), kind !== 'denied', kind);
  }
});

test('where the answer has begun, the connection is cut', async (t) => {
  const line = await (
    await open(t, (req, res) => {
      res.writeHead(200, { 'Content-Length': 100 });
      res.write('part');
      sendError(req, res, denied);
    })
  )();
  line.send(...get);
  const text = await line.closed();
  assert.doesNotMatch(text, /DENIED/);
});

test('where the client is gone, the status is still there for the log', async (t) => {
  let status = 0;
  const line = await (
    await open(t, (req, res) => {
      line.socket.resetAndDestroy();
      res.once('close', () => {
        sendError(req, res, denied);
        status = res.statusCode;
      });
    })
  )();
  line.send(...get);
  while (status === 0) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(status, 403);
});

test('a client that is still sending reads the answer, and then the connection closes', async (t) => {
  const size = 4_000_000;
  const line = await (await open(t, (req, res) => sendError(req, res, denied)))();
  line.send('PUT / HTTP/1.1', 'Host: x', `Content-Length: ${size}`, '', '');
  line.socket.pause();
  for (let sent = 0; sent < size; sent += 100_000)
    if (!line.socket.write('x'.repeat(100_000))) await once(line.socket, 'drain');
  line.socket.resume();
  const text = await line.closed();
  assert.match(text, /^HTTP\/1\.1 403 Forbidden\r\n[\s\S]*Connection: close\r\n[\s\S]*DENIED/);
});

test('a body of some megabytes is read before the answer, for the proxies between', async (t) => {
  const size = 8 * 1024 * 1024;
  const line = await (await open(t, (req, res) => sendError(req, res, denied)))();
  line.send('PUT / HTTP/1.1', 'Host: x', `Content-Length: ${size}`, '', '');
  if (!line.socket.write('x'.repeat(size - 1))) await once(line.socket, 'drain');
  // An answer that does not wait for the last byte would be here.
  await delay(200);
  assert.equal(line.received, '');
  line.socket.write('x');
  assert.match(await line.closed(), /DENIED/);
});

test('a longer body, or one that does not say its length, is answered at once', async (t) => {
  // Nothing that waits for a time comes.
  t.mock.timers.enable({ apis: ['setTimeout'] });
  for (const length of [`Content-Length: ${8 * 1024 * 1024 + 1}`, 'Transfer-Encoding: chunked']) {
    const line = await (await open(t, (req, res) => sendError(req, res, denied)))();
    line.send('PUT / HTTP/1.1', 'Host: x', length, '', '');
    assert.match(await line.until(/DENIED/), /Connection: close/);
  }
});

test('a client that never goes on sending is let go', async (t) => {
  const line = await (await open(t, (req, res) => sendError(req, res, denied)))();
  line.send('PUT / HTTP/1.1', 'Host: x', 'Content-Length: 100', '', 'abc');
  assert.match(await line.closed(), /DENIED/);
});

test('a client that asked first is not told to go ahead', async (t) => {
  const line = await (await open(t, (req, res) => sendError(req, res, denied)))();
  line.send('PUT / HTTP/1.1', 'Host: x', 'Content-Length: 9', 'Expect: 100-continue', '', '');
  const text = await line.closed();
  assert.match(text, /^HTTP\/1\.1 403 /);
  assert.match(text, /Connection: close/);
});

test('a refusal after all was read keeps the connection', async (t) => {
  const line = await (
    await open(t, (req, res) => {
      acceptBody({ req, res });
      req.resume().once('end', () => sendError(req, res, denied));
    })
  )();
  line.send('PUT / HTTP/1.1', 'Host: x', 'Content-Length: 3', '', 'abc');
  assert.doesNotMatch(await line.until(/DENIED/), /Connection: close/);
});

/** The challenge that a request with these headers gets. */
function challenged(
  headers: Record<string, string>,
  scope: string | undefined,
  sent = false,
): Record<string, string> {
  const set: Record<string, string> = {};
  const res = { setHeader: (name: string, value: string) => (set[name] = value) };
  const req = { headers, socket: {} } as IncomingMessage;
  challenge(req, res as unknown as Answer, services, scope, sent);
  return set;
}

test('the challenge names the token endpoint where the client is, and the scope', () => {
  const host = 'localhost:5050';
  const scope = 'repository:a/b/c:pull,push repository:d/e/f:pull';
  const realm = `Bearer realm="http://${host}/token",service="${host}"`;
  const cases: [string | undefined, boolean, string][] = [
    [undefined, false, realm],
    [undefined, true, `${realm},error="invalid_token"`],
    [scope, false, `${realm},scope="${scope}"`],
    [scope, true, `${realm},scope="${scope}",error="insufficient_scope"`],
    ['registry:catalog:*', false, `${realm},scope="registry:catalog:*"`],
  ];
  for (const [asked, sent, expected] of cases)
    assert.equal(challenged({ host }, asked, sent)['WWW-Authenticate'], expected);
});

test('nothing of a request breaks out of the challenge', () => {
  const host = 'localhost';
  for (const scope of ['repository:a"b:pull', 'a\r\nX: y', 'repository:ü:pull', 'A', '', '<'])
    assert.equal(
      challenged({ host }, scope)['WWW-Authenticate'],
      'Bearer realm="http://localhost/token",service="localhost"',
    );
  for (const bad of ['a"b', 'a\r\nX: y', '', 'a b'])
    assert.deepEqual(challenged({ host: bad }, undefined), {});
});
