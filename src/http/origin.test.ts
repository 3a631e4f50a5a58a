import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import test from 'node:test';
import { RegistryError } from '../oci/errors.ts';
import { Origins } from './origin.ts';

interface From {
  readonly address?: string | undefined;
  readonly encrypted?: boolean;
  readonly headers?: Record<string, string>;
}

/** A request as Node hands it on, as far as origins look at it. */
function request({ address, encrypted, headers = {} }: From): IncomingMessage {
  const socket = { remoteAddress: address, ...(encrypted && { encrypted }) };
  return { socket, headers } as unknown as IncomingMessage;
}

const proxied = new Origins({
  trustedProxies: ['10.0.0.0/8', '192.0.2.7', 'fd00::/8', 'fe80::/10'],
  publicUrl: undefined,
});
const direct = new Origins({ trustedProxies: [], publicUrl: undefined });
const stranger = '203.0.113.9';

function refused(work: () => unknown): void {
  assert.throws(work, (error) => error instanceof RegistryError && error.kind === 'invalid');
}

test('the URL that a client used', () => {
  const cases: [Origins, From, string][] = [
    [direct, { headers: { host: 'localhost:5050' } }, 'http://localhost:5050'],
    [direct, { headers: { host: 'localhost' }, encrypted: true }, 'https://localhost'],
    [direct, { headers: { host: '127.0.0.1:5050' } }, 'http://127.0.0.1:5050'],
    [direct, { headers: { host: '[::1]:5050' } }, 'http://[::1]:5050'],
    [direct, { headers: { host: 'Registry.Example' } }, 'http://Registry.Example'],
    [
      proxied,
      { address: '10.1.2.3', headers: { host: 'inner', 'x-forwarded-proto': 'https' } },
      'https://inner',
    ],
    [
      proxied,
      {
        address: '::ffff:10.1.2.3',
        headers: { host: 'inner', 'x-forwarded-proto': 'https', 'x-forwarded-host': 'r.example' },
      },
      'https://r.example',
    ],
    [
      proxied,
      { address: 'fd00::5', headers: { host: 'inner', 'x-forwarded-host': 'a:1, b:2' } },
      'http://a:1',
    ],
    [
      proxied,
      { address: 'fe80::1%eth0', headers: { host: 'x', 'x-forwarded-proto': 'https' } },
      'https://x',
    ],
    [
      proxied,
      { address: '192.0.2.7', headers: { host: 'x', 'x-forwarded-proto': 'https, http' } },
      'https://x',
    ],
    [
      proxied,
      { address: '10.1.2.3', encrypted: true, headers: { host: 'x', 'x-forwarded-proto': 'http' } },
      'http://x',
    ],
    [
      proxied,
      { address: '10.1.2.3', headers: { host: 'x', 'x-forwarded-proto': 'gopher' } },
      'http://x',
    ],
    [proxied, { address: '10.1.2.3', headers: { host: 'x', 'x-forwarded-host': '' } }, 'http://x'],
  ];
  for (const [origins, from, url] of cases) {
    const origin = origins.of(request(from));
    assert.equal(origin.url, url);
    assert.equal(origin.host, url.slice(url.indexOf('//') + 2));
  }
});

test('A45: what a stranger says was forwarded is not believed', () => {
  const headers = {
    host: 'real.example',
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'evil.example',
    'x-forwarded-for': '10.0.0.1',
    forwarded: 'for=10.0.0.1;host=evil.example;proto=https',
  };
  const strangers: [Origins, string | undefined][] = [
    [direct, '127.0.0.1'],
    [direct, '10.1.2.3'],
    [proxied, stranger],
    [proxied, '192.0.2.8'],
    [proxied, '2001:db8::1'],
    [proxied, undefined],
  ];
  for (const [origins, address] of strangers) {
    const from = request({ address, headers });
    assert.equal(origins.of(from).url, 'http://real.example', `${address}`);
    assert.equal(origins.clientAddress(from), address ?? '', `${address}`);
  }
});

test('a Host that is none is refused: it would stand in headers', () => {
  const hosts = [
    'a b',
    'a"b',
    'a/b',
    'a\\b',
    'a@b',
    'a:b',
    'a:',
    'a:123456',
    'a\r\nX: y',
    '<a>',
    'ü',
    '[::1',
    '::1',
    '[a]x',
    '[]',
    '[::1%25eth0]',
    'h'.repeat(254),
  ];
  for (const host of ['', ' ', 'a,b', 'a\n', ...hosts])
    refused(() => direct.of(request({ headers: { host } })));
  for (const host of hosts) {
    const headers = { host: 'fine', 'x-forwarded-host': host };
    refused(() => proxied.of(request({ address: '10.1.2.3', headers })));
  }
  refused(() => direct.of(request({})));
});

test('a public URL goes before everything', () => {
  const origins = new Origins({
    trustedProxies: ['10.0.0.0/8'],
    publicUrl: 'https://registry.example:8443',
  });
  const headers = { host: 'a b', 'x-forwarded-host': 'evil', 'x-forwarded-proto': 'http' };
  const origin = origins.of(request({ address: '10.0.0.1', headers }));
  assert.deepEqual(origin, { url: 'https://registry.example:8443', host: 'registry.example:8443' });
  assert.equal(origins.publicUrl, 'https://registry.example:8443');
});

test("the client's address is the last one that no trusted proxy added", () => {
  const cases: [string, string | undefined, string][] = [
    [stranger, '1.1.1.1', stranger],
    ['10.0.0.1', undefined, '10.0.0.1'],
    ['10.0.0.1', '', '10.0.0.1'],
    ['10.0.0.1', stranger, stranger],
    ['10.0.0.1', `1.1.1.1, ${stranger}`, stranger],
    ['10.0.0.1', `1.1.1.1, ${stranger}, 10.0.0.2`, stranger],
    ['10.0.0.1', `${stranger},10.0.0.2,fd00::9`, stranger],
    ['::ffff:10.0.0.1', `${stranger}, ::ffff:10.0.0.2`, stranger],
    ['10.0.0.1', '2001:db8::1', '2001:db8::1'],
    ['10.0.0.1', 'fe80::1%eth0, 2001:db8::1', '2001:db8::1'],
    ['10.0.0.1', '2001:db8::1, fe80::1%eth0', '2001:db8::1'],
    // Not an address: nobody knows who comes before it.
    ['10.0.0.1', `${stranger}, unknown`, '10.0.0.1'],
    ['10.0.0.1', `${stranger}, <script>`, '10.0.0.1'],
    ['10.0.0.1', '10.0.0.2, 10.0.0.3', '10.0.0.1'],
  ];
  for (const [address, forwarded, expected] of cases) {
    const headers: Record<string, string> =
      forwarded === undefined ? {} : { 'x-forwarded-for': forwarded };
    assert.equal(proxied.clientAddress(request({ address, headers })), expected, `${forwarded}`);
  }
});

test('ranges of any width, in both families', () => {
  const cases: [string, string, boolean][] = [
    ['0.0.0.0/0', stranger, true],
    ['0.0.0.0/0', '2001:db8::1', false],
    ['::/0', '2001:db8::1', true],
    ['::1', '::1', true],
    ['::1', '::2', false],
    ['127.0.0.1', '127.0.0.1', true],
    ['127.0.0.1', '::ffff:127.0.0.1', true],
    ['127.0.0.1', '127.0.0.2', false],
    ['172.16.0.0/12', '172.31.255.255', true],
    ['172.16.0.0/12', '172.32.0.0', false],
  ];
  for (const [range, address, trusted] of cases) {
    const origins = new Origins({ trustedProxies: [range], publicUrl: undefined });
    const headers = { host: 'x', 'x-forwarded-proto': 'https' };
    const { url } = origins.of(request({ address, headers }));
    assert.equal(url, trusted ? 'https://x' : 'http://x', `${range} ${address}`);
  }
});
