/** What of HTTP passes the gateway, both ways, with a real server behind it. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { noise } from '../clients/support/images.ts';
import { functionImage } from './support/images.ts';
import { functionsSuite, type World } from './support/suite.ts';
import { until } from './support/until.ts';
import { openWebSocket } from './support/websocket.ts';

/** All tests ask one function. */
const service = 'http';

function open(
  { gantry, functions }: World,
  path: string,
  options: { method?: string; headers?: Record<string, string> } = {},
) {
  const url = new URL(path, gantry.origin);
  return request({
    ...{ host: url.hostname, port: url.port, path: url.pathname + url.search, agent: false },
    method: options.method ?? 'GET',
    headers: { host: functions.serviceHost(service), ...options.headers },
  });
}

async function answered(sent: ReturnType<typeof request>): Promise<IncomingMessage> {
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return response;
}

async function stateOf({ gantry, functions }: World) {
  const { body } = await gantry.ask(functions.serviceHost(service), '/state');
  return JSON.parse(body) as { inFlight: number };
}

functionsSuite({
  name: 'HTTP through the gateway',
  async prepare({ functions }) {
    await functions.service(service, { requestTimeoutMs: 15 * 60_000, maxInstances: 1 });
    await functions.deploy(service, 'latest', functionImage({ version: '1' }));
  },
  tests: {
    'a WebSocket: subprotocol, texts and bytes both ways, its end': async (world) => {
      const { gantry, functions } = world;
      const host = functions.serviceHost(service);
      const socket = await openWebSocket(gantry.origin, host, '/ws', 'chat');
      assert.equal(socket.protocol, 'chat');
      for (const message of ['hello', 'x'.repeat(70_000)]) {
        socket.send(message);
        assert.equal((await socket.receive()).toString(), message);
      }
      const bytes = noise('websocket', 300_000);
      socket.send(bytes);
      assert.ok(bytes.equals(await socket.receive()));
      await socket.close();
      await until(
        async () => ((await stateOf(world)).inFlight <= 1 ? true : undefined),
        'the function sees its end',
      );
    },

    'a WebSocket whose client is gone ends in the function': async (world) => {
      const { gantry, functions } = world;
      const host = functions.serviceHost(service);
      const socket = await openWebSocket(gantry.origin, host, '/ws');
      socket.send('one');
      await socket.receive();
      assert.equal((await stateOf(world)).inFlight, 2);
      socket.destroy();
      await until(
        async () => ((await stateOf(world)).inFlight === 1 ? true : undefined),
        'the function sees its end',
      );
    },

    'Server-Sent Events come one by one': async (world) => {
      const sent = open(world, '/sse?n=4&every=250');
      sent.end();
      const response = await answered(sent);
      assert.equal(response.headers['content-type'], 'text/event-stream');
      const times: number[] = [];
      for await (const _ of response) times.push(performance.now());
      assert.ok(times.length >= 4, `${times.length} pieces`);
      assert.ok(times.at(-1)! - times[0]! > 500, 'not gathered');
    },

    'a body goes in while the answer comes out': async (world) => {
      const sent = open(world, '/duplex', { method: 'POST' });
      const answer = answered(sent);
      sent.write('first');
      const response = await answer;
      const pieces = response[Symbol.asyncIterator]();
      for (const text of ['first', 'second', 'third']) {
        if (text !== 'first') sent.write(text);
        assert.equal(String((await pieces.next()).value), text);
      }
      sent.end();
      assert.equal((await pieces.next()).done, true);
    },

    'bodies of 64 MB pass both ways, whole': async (world) => {
      const { gantry, functions } = world;
      const host = functions.serviceHost(service);
      const body = noise('upload', 64 << 20);
      const up = await gantry.ask(host, '/upload', { method: 'PUT', body });
      const sha256 = createHash('sha256').update(body).digest('hex');
      assert.deepEqual(JSON.parse(up.body), { bytes: body.length, sha256 });
      const down = await gantry.ask(host, `/stream?bytes=${64 << 20}`);
      assert.equal(down.bytes.length, 64 << 20);
      const wanted = Buffer.alloc(64 << 20);
      for (let at = 0; at < wanted.length; at += 1) wanted[at] = at % 251;
      assert.ok(down.bytes.equals(wanted));
    },

    'a client that does not read holds the function back': async (world) => {
      const sent = open(world, `/stream?bytes=${1 << 30}`);
      sent.end();
      const response = await answered(sent);
      response.pause();
      const resident = () => Number(/VmRSS:\s+(\d+)/.exec(statusOf(world.gantry.pid))![1]) / 1024;
      const before = resident();
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      assert.ok(resident() - before < 100, 'Gantry gathers nothing');
      assert.equal((await stateOf(world)).inFlight, 2, 'the function still writes');
      sent.destroy();
      await until(
        async () => ((await stateOf(world)).inFlight === 1 ? true : undefined),
        'the function sees that the client is gone',
      );
    },

    'a client that goes away is told to the function': async (world) => {
      const sent = open(world, '/slow?ms=60000');
      sent.on('error', () => {});
      sent.end();
      await until(
        async () => ((await stateOf(world)).inFlight === 2 ? true : undefined),
        'it is in flight',
      );
      sent.destroy();
      await until(
        async () => ((await stateOf(world)).inFlight === 1 ? true : undefined),
        'the function sees that the client is gone',
      );
    },

    'an answer that breaks off breaks off for the client, too': async (world) => {
      const { gantry, functions } = world;
      await assert.rejects(
        gantry.ask(functions.serviceHost(service), '/break'),
        /aborted|socket hang up|ECONNRESET/,
      );
    },

    'statuses, headers and methods pass as they are': async ({ gantry, functions }) => {
      const host = functions.serviceHost(service);
      for (const code of [201, 204, 302, 404, 418, 500, 503]) {
        const path = `/status?code=${code}&header=location&value=/there`;
        const answer = await gantry.ask(host, path);
        assert.deepEqual([answer.status, answer.headers.location], [code, '/there']);
      }
      for (const method of ['POST', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND']) {
        const { body } = await gantry.ask(host, '/echo?a=1&b=%2F', { method, body: 'text' });
        const echo = JSON.parse(body);
        assert.deepEqual([echo.method, echo.url, echo.body], [method, '/echo?a=1&b=%2F', 'text']);
      }
    },

    'A45: forwarded and identity headers are told by Gantry, and spoofed ones dropped': async ({
      gantry,
      functions,
    }) => {
      const host = functions.serviceHost(service);
      const { body } = await gantry.ask(host, '/echo', {
        headers: {
          'x-forwarded-for': '6.6.6.6',
          'x-forwarded-host': 'evil.example',
          'x-forwarded-proto': 'https',
          forwarded: 'for=6.6.6.6',
          'x-real-ip': '6.6.6.6',
          'x-gantry-id': 'spoofed',
          'x-vercel-id': 'spoofed',
          'x-fc-request-id': 'spoofed',
          'x-vercel-oidc-token': 'spoofed',
          connection: 'close, x-hop',
          'x-hop': 'to be dropped',
          'x-mine': 'kept',
        },
      });
      const { headers } = JSON.parse(body) as { headers: Record<string, string[]> };
      const all = JSON.stringify(headers);
      assert.doesNotMatch(all, /6\.6\.6\.6|evil\.example|spoofed|to be dropped/);
      assert.deepEqual(headers['X-Mine'], ['kept']);
      assert.deepEqual(headers['X-Forwarded-For'], [gantryClient(gantry.origin)]);
      assert.deepEqual(headers['X-Forwarded-Proto'], ['http']);
      assert.ok(headers['X-Gantry-Id']?.[0]);
    },

    'a time-out of 15 minutes is accepted, and a short one is kept': async ({
      gantry,
      functions,
    }) => {
      await functions.service('short', { requestTimeoutMs: 1_000 });
      const image = functionImage({ version: 'short' });
      const { serviceHost } = await functions.deploy('short', 'latest', image);
      const answer = await gantry.ask(serviceHost, '/slow?ms=30000');
      assert.equal(answer.status, 504, answer.body);
      assert.ok(answer.totalMs < 10_000);
      assert.ok(JSON.parse(answer.body).code);
    },

    'nothing of the registry or the API answers at the name of a function': async (world) => {
      const { gantry, functions } = world;
      const host = functions.serviceHost(service);
      for (const path of ['/v2/', '/api/v1/me', '/metrics', '/readyz']) {
        const { body } = await gantry.ask(host, path);
        assert.equal(JSON.parse(body).url, path, 'the function answers');
      }
      const unknown = await gantry.ask('nobody-here.localhost', '/');
      assert.equal(unknown.status, 404);
    },
  },
});

function statusOf(pid: number): string {
  return readFileSync(`/proc/${pid}/status`, 'latin1');
}

/** This machine's end of the network that Gantry is in. */
function gantryClient(origin: string): string {
  const parts = new URL(origin).hostname.split('.').map(Number);
  return [...parts.slice(0, 3), parts[3]! - 1].join('.');
}
