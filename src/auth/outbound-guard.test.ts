import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import {
  type AddressInfo,
  createServer as createTcpServer,
  isIP,
  type LookupFunction,
} from 'node:net';
import { type TestContext, test } from 'node:test';
import { RegistryError } from '../oci/errors.ts';
import { createOutboundGuard, type OutboundGuard } from './outbound-guard.ts';

const limits = { timeoutMs: 2000, maxBytes: 1000 };

function guardFor(t: TestContext, allow: string[], lookup?: LookupFunction): OutboundGuard {
  const guard = createOutboundGuard(lookup ? { allow, lookup } : { allow });
  t.after(() => guard.close());
  return guard;
}

/** Answers each look-up with the next list of addresses, then with the last one for good. */
function lookupOf(...answers: string[][]): LookupFunction & { asked: string[] } {
  const asked: string[] = [];
  const lookup: LookupFunction = (hostname, _options, callback) => {
    asked.push(hostname);
    const answer = answers.length > 1 ? answers.shift()! : answers[0]!;
    queueMicrotask(() =>
      callback(
        null,
        answer.map((address) => ({ address, family: isIP(address) })),
      ),
    );
  };
  return Object.assign(lookup, { asked });
}

async function serve(t: TestContext, listener: RequestListener): Promise<number> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(async () => {
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  });
  return (server.address() as AddressInfo).port;
}

function refusal(kind: string, message = /./): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof RegistryError, String(error));
    assert.equal(error.kind, kind);
    assert.match(error.message, message);
    return true;
  };
}

test('A25: inner addresses in every spelling are refused', (t) => {
  const guard = guardFor(t, []);
  const hosts = [
    '127.0.0.1',
    '127.255.255.254',
    '0.0.0.0',
    '10.0.0.1',
    '100.64.0.1',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '192.0.0.1',
    '192.0.2.1',
    '198.18.0.1',
    '198.51.100.1',
    '203.0.113.1',
    '224.0.0.1',
    '240.0.0.1',
    '255.255.255.255',
    // The same in other notations, which URL() turns into the plain one.
    '2130706433',
    '0x7f000001',
    '017700000001',
    '0177.0.0.1',
    '0x7f.1',
    '127.1',
    '127.0.0.1.',
    '%31%32%37.0.0.1',
    '１２７.0.0.1',
    '[::]',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '[::ffff:8.8.8.8]',
    '[::ffff:a9fe:a9fe]',
    '[::127.0.0.1]',
    '[2002:7f00:1::]',
    '[2002:808:808::1]',
    '[64:ff9b::127.0.0.1]',
    '[64:ff9b::8.8.8.8]',
    '[64:ff9b:1::1]',
    '[2001::1]',
    '[2001:db8::1]',
    '[3fff::1]',
    '[fc00::1]',
    '[fd12:3456::1]',
    '[fe80::1]',
    '[fec0::1]',
    '[ff02::1]',
    '[100::1]',
    '[5f00::1]',
    'localhost',
    'localhost.',
    'a.localhost',
  ];
  for (const host of hosts) {
    assert.throws(() => guard.check(`https://${host}/path`), refusal('invalid'), host);
    assert.throws(() => guard.check(`https://${host}:8443/`), refusal('invalid'), host);
  }
});

test('A25: a public address must be written plainly', (t) => {
  const guard = guardFor(t, []);
  for (const host of ['8.8.8.8', '8.8.8.8:8443', '[2606:4700:4700::1111]', 'example.com']) {
    guard.check(`https://${host}/`);
  }
  for (const host of ['134744072', '0x08080808', '8.8.2056', '010.8.8.8', '8.8.8.8.']) {
    assert.throws(() => guard.check(`https://${host}/`), refusal('invalid', /four decimal/), host);
  }
});

test('only plain https URLs', (t) => {
  const guard = guardFor(t, []);
  const urls = [
    'http://example.com/',
    'ftp://example.com/',
    'file:///etc/passwd',
    'https:example.com',
    'https:/example.com',
    'https:\\\\example.com',
    'https://user@example.com/',
    'https://user:secret@example.com/',
    'https://8.8.8.8\\@127.0.0.1/',
    ' https://example.com/',
    'https://exam\tple.com/',
    'https://example.com/\n',
    'https:///',
    'https://exa mple.com/',
    '',
    `https://example.com/${'a'.repeat(2048)}`,
  ];
  for (const url of urls) assert.throws(() => guard.check(url), refusal('invalid'), url);
});

test('the operator can allow loopback, addresses, ranges and hosts', (t) => {
  const cases: readonly [allow: string, passes: string[], refused: string[]][] = [
    [
      'loopback',
      ['http://127.0.0.1:1/', 'http://[::1]/', 'http://localhost:3000/', 'https://localhost/'],
      ['http://10.0.0.1/', 'http://example.com/', 'https://[::ffff:127.0.0.1]/'],
    ],
    [
      '10.1.0.0/16',
      ['https://10.1.2.3/', 'http://10.1.2.3:80/'],
      ['https://10.2.0.1/', 'https://127.0.0.1/', 'http://example.com/'],
    ],
    ['192.168.7.9', ['http://192.168.7.9/'], ['http://192.168.7.8/', 'http://3232237321/']],
    ['fd00:1::/32', ['https://[fd00:1::5]/'], ['https://[fd00:2::5]/']],
    ['idp.inner', ['http://idp.inner/', 'http://IDP.inner:99/'], ['http://idp.inner.evil/']],
    ['idp:8080', ['http://idp:8080/'], ['http://idp:8081/', 'http://idp/']],
    ['127.0.0.1:9000', ['http://127.0.0.1:9000/'], ['http://127.0.0.1:9001/']],
    ['[FD00:0::1]:443', ['https://[fd00::1]/'], ['https://[fd00::1]:444/']],
  ];
  for (const [allow, passes, refused] of cases) {
    const guard = guardFor(t, [allow]);
    for (const url of passes) guard.check(url);
    for (const url of refused) {
      assert.throws(() => guard.check(url), refusal('invalid'), `${allow}: ${url}`);
    }
  }
});

test('an entry that is none of the forms is refused by name', () => {
  for (const entry of ['', 'http://a', '10.0.0.0/33', '::1/129', 'a:0', 'a:65536', 'a b', '*']) {
    assert.throws(
      () => createOutboundGuard({ allow: [entry] }),
      refusal('invalid', /GANTRY_OUTBOUND_ALLOW/),
      entry,
    );
  }
});

test('A25: a name is judged by what it resolves to, at the connection', async (t) => {
  for (const address of [
    '127.0.0.1',
    '169.254.169.254',
    '10.0.0.1',
    '::1',
    '::ffff:127.0.0.1',
    'fe80::1%lo',
  ]) {
    const guard = guardFor(t, [], lookupOf([address]));
    const url = 'https://public.example/';
    guard.check(url);
    await assert.rejects(guard.fetch(url, limits), (error) => {
      assert.ok(error instanceof RegistryError);
      assert.equal(error.kind, 'invalid');
      assert.ok(!error.message.includes(address), 'the answer tells no inner address');
      return true;
    });
  }
});

test('A26: a name that turns inward after the check is refused before any byte is sent', async (t) => {
  let reached = 0;
  const port = await serve(t, (_request, response) => {
    reached += 1;
    response.end('{}');
  });
  const lookup = lookupOf(['127.0.0.1']);
  const guard = guardFor(t, [], lookup);
  const url = `https://rebinds.example:${port}/`;
  guard.check(url);
  assert.deepEqual(lookup.asked, [], 'the check itself resolves nothing that could change later');
  await assert.rejects(guard.fetch(url, limits), refusal('invalid'));
  assert.deepEqual(lookup.asked, ['rebinds.example']);
  assert.equal(reached, 0);
});

test('A26: the connection goes to the address that was checked, not to a second look-up', async (t) => {
  const port = await serve(t, (request, response) => response.end(request.headers.host));
  const lookup = lookupOf(['127.0.0.1'], ['192.0.2.1']);
  const guard = guardFor(t, [`named.example:${port}`], lookup);
  const answer = await guard.fetch(`http://named.example:${port}/`, limits);
  assert.equal(answer.body.toString(), `named.example:${port}`);
  assert.deepEqual(lookup.asked, ['named.example']);
});

test('of many addresses only those that may be reached are tried', async (t) => {
  const server = createTcpServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  let connections = 0;
  server.on('connection', () => {
    connections += 1;
  });
  const { port } = server.address() as AddressInfo;
  const guard = guardFor(t, ['127.0.0.2'], lookupOf(['127.0.0.1', '127.0.0.2']));
  // Nothing answers at 127.0.0.2, so the request fails: what counts is where it did not go.
  const failed = guard.fetch(`https://mixed.example:${port}/`, limits);
  await assert.rejects(failed, refusal('unavailable', /mixed\.example/));
  assert.equal(connections, 0);
});

test('A26: redirects are not followed, and the next hop is judged like the first', async (t) => {
  let inner = 0;
  const innerPort = await serve(t, (_request, response) => {
    inner += 1;
    response.end();
  });
  const location = `http://127.0.0.1:${innerPort}/`;
  const port = await serve(t, (_request, response) => response.writeHead(302, { location }).end());
  const guard = guardFor(t, [`127.0.0.1:${port}`]);
  const answer = await guard.fetch(`http://127.0.0.1:${port}/`, limits);
  assert.equal(answer.status, 302);
  assert.equal(answer.headers.location, location);
  await assert.rejects(guard.fetch(location, limits), refusal('invalid'));
  assert.equal(inner, 0);
});

test('a body over the limit, a cut one and a late one are failures', async (t) => {
  const port = await serve(t, (request, response) => {
    if (request.url === '/fits') response.end(Buffer.alloc(1000));
    if (request.url === '/large') response.end(Buffer.alloc(1001));
    if (request.url === '/cut') {
      response.writeHead(200, { 'content-length': 10 });
      response.write('half', () => response.destroy());
    }
    // '/late' is never answered; '/drip' never ends.
    if (request.url === '/drip') response.write('x');
  });
  const guard = guardFor(t, ['loopback']);
  const get = (path: string, timeoutMs = 2000) =>
    guard.fetch(`http://127.0.0.1:${port}${path}`, { timeoutMs, maxBytes: 1000 });
  assert.equal((await get('/fits')).body.length, 1000);
  await assert.rejects(get('/large'), refusal('unavailable', /over 1000 bytes/));
  await assert.rejects(get('/cut'), refusal('unavailable'));
  await assert.rejects(get('/late', 100), refusal('unavailable', /within 100 ms/));
  await assert.rejects(get('/drip', 100), refusal('unavailable', /within 100 ms/));
});

test('closing ends what is under way', async (t) => {
  const { promise: reached, resolve } = Promise.withResolvers<void>();
  const port = await serve(t, () => resolve());
  const guard = createOutboundGuard({ allow: ['loopback'] });
  const pending = guard.fetch(`http://127.0.0.1:${port}/`, { timeoutMs: 60_000, maxBytes: 1000 });
  const failed = assert.rejects(pending, refusal('unavailable'));
  await reached;
  await guard.close();
  await failed;
});
