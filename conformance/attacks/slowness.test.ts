import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { expectStatus } from '../spec/check.ts';
import { content, uniqueBytes } from '../spec/content.ts';
import { useServer } from '../spec/fixture.ts';
import { beginUpload, closeUpload, expectCreated, octets } from '../spec/push.ts';
import { requestLines, type Wire, withWire } from './wire.ts';

const fixture = useServer({ env: { GANTRY_HEADERS_TIMEOUT: '1s', GANTRY_BODY_TIMEOUT: '1s' } });
const signed = () => ({ Authorization: fixture.registry.authorization! });

describe('A35: slow headers and bodies', () => {
  const trickle = async (wire: Wire, piece: string, everyMs: number, times: number) => {
    for (let time = 0; time < times && !wire.closed; time++) {
      await wire.write(piece);
      await delay(everyMs);
    }
  };
  const expectTimeout = async (wire: Wire): Promise<void> => {
    const got = await wire.answer(8_000);
    assert.ok(got, 'closed without an answer');
    assert.equal(got.status, 408);
    await wire.expectClosed(8_000);
  };

  test('A35: headers that stop halfway are 408', async () => {
    await withWire(fixture.server.origin, async (wire) => {
      await wire.write('GET /v2/ HTTP/1.1\r\nHost: x\r\nX-Slow: ');
      await expectTimeout(wire);
    });
  });

  test('A35: headers that come byte by byte are 408', async () => {
    await withWire(fixture.server.origin, async (wire) => {
      await wire.write('GET /v2/ HTTP/1.1\r\nHost: x\r\nX-Slow: ');
      const feeding = trickle(wire, 'x', 100, 80);
      await expectTimeout(wire);
      await feeding;
    });
  });

  const bodies: [string, () => Promise<[string, string, Record<string, string>]>][] = [
    [
      'a chunk',
      async () => {
        const location = new URL(await beginUpload(fixture.registry, fixture.repository()));
        return ['PATCH', location.pathname + location.search, octets];
      },
    ],
    [
      'a single POST',
      async () => [
        'POST',
        `/v2/${fixture.repository()}/blobs/uploads/?digest=${content('never').digest}`,
        octets,
      ],
    ],
    [
      'a manifest',
      async () => [
        'PUT',
        `/v2/${fixture.repository()}/manifests/slow`,
        { 'Content-Type': 'application/vnd.oci.image.manifest.v1+json' },
      ],
    ],
    [
      "the token endpoint's form",
      async () => ['POST', '/token', { 'Content-Type': 'application/x-www-form-urlencoded' }],
    ],
  ];
  for (const [name, prepare] of bodies)
    for (const coding of ['Content-Length: 1000', 'Transfer-Encoding: chunked'])
      test(`A35: ${name} that stops (${coding}) is 408`, async () => {
        const { origin } = fixture.server;
        const [method, target, headers] = await prepare();
        await withWire(origin, async (wire) => {
          const lines = requestLines(origin, method, target, { ...signed(), ...headers });
          const body = coding.startsWith('C') ? '{"a' : '3\r\n{"a\r\n';
          await wire.send([...lines, coding], body);
          await expectTimeout(wire);
        });
      });

  test('A35: after it, the session tells how far it came, and goes on', async () => {
    const { origin } = fixture.server;
    const blob = content(uniqueBytes(1_000));
    const location = await beginUpload(fixture.registry, fixture.repository());
    const { pathname, search } = new URL(location);
    await withWire(origin, async (wire) => {
      const headers = { ...signed(), ...octets, 'Content-Length': '1000' };
      const lines = requestLines(origin, 'PATCH', pathname + search, headers);
      await wire.send(lines, blob.bytes.subarray(0, 100));
      await expectTimeout(wire);
    });
    const status = expectStatus(await fixture.registry.get(location), 204);
    const [, end = '0'] = /^0-(\d+)$/.exec(status.header('range') ?? '') ?? [];
    const from = Number(end) === 0 ? 0 : Number(end) + 1;
    assert.ok(from === 0 || from === 100, `${from}`);
    const rest = blob.bytes.subarray(from);
    const put = await closeUpload(fixture.registry, status.location(), blob.digest, rest);
    await expectCreated(fixture.registry, put, blob);
  });

  test('A35: a slow body that makes progress is not cut, however long it takes', async () => {
    const { origin } = fixture.server;
    const blob = content(uniqueBytes(1_000));
    const location = await beginUpload(fixture.registry, fixture.repository());
    const { pathname, search } = new URL(location);
    await withWire(origin, async (wire) => {
      const headers = { ...signed(), ...octets, 'Content-Length': '1000' };
      await wire.send(requestLines(origin, 'PATCH', pathname + search, headers));
      for (let at = 0; at < 1_000; at += 100) {
        await wire.write(blob.bytes.subarray(at, at + 100));
        await delay(300);
      }
      const got = await wire.answer();
      assert.equal(got?.status, 202);
      assert.equal(got?.headers.get('range'), '0-999');
    });
    await expectCreated(
      fixture.registry,
      await closeUpload(fixture.registry, location, blob.digest),
      blob,
    );
  });
});
