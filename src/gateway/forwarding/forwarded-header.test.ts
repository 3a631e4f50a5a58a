import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import test from 'node:test';
import { ForwardedHeaders, forwardedHeader, forwardingKey } from './forwarded-header.ts';

const key = forwardingKey(randomBytes(32));
const from = { address: '203.0.113.9', host: 'shop.example:8080', proto: 'https' } as const;

function requestWith(value: string | undefined, more: { method?: string; url?: string } = {}) {
  const rawHeaders = ['Host', 'a', ...(value === undefined ? [] : ['X-Gantry-Forwarded', value])];
  const headers = { host: 'a', ...(value !== undefined && { [forwardedHeader]: value }) };
  return { method: 'GET', url: '/a?b', ...more, headers, rawHeaders } as IncomingMessage;
}

function at(time: { now: number }, own = key): ForwardedHeaders {
  return new ForwardedHeaders({ key: own, clock: { now: () => time.now } });
}

test('what one process signs another one reads, and the header is gone', () => {
  const time = { now: 5_000_000 };
  const signed = at(time).sign({ method: 'GET', url: '/a?b' }, from);
  const req = requestWith(signed);
  const reader = at(time);
  reader.receive(req);
  assert.deepEqual(reader.of(req), from);
  assert.equal(reader.wasForwarded(req), true);
  assert.deepEqual([req.headers, req.rawHeaders], [{ host: 'a' }, ['Host', 'a']]);
});

test('A45: a header that no process of ours signed is dropped as if it had not been sent', () => {
  const time = { now: 5_000_000 };
  const signed = at(time).sign({ method: 'GET', url: '/a?b' }, from);
  const [said, mac] = signed.split('.') as [string, string];
  const facts = JSON.parse(Buffer.from(said, 'base64url').toString());
  facts[1] = '127.0.0.1';
  const other = Buffer.from(JSON.stringify(facts)).toString('base64url');
  for (const value of [
    ...['', '.', 'x', `${other}.${mac}`, `${said}.`, `${said}.${mac}.x`, `${said}.${mac.slice(1)}`],
    at(time, forwardingKey(randomBytes(32))).sign({ method: 'GET', url: '/a?b' }, from),
    'a'.repeat(100_000),
  ]) {
    const reader = at(time);
    const req = requestWith(value);
    reader.receive(req);
    assert.equal(reader.of(req), undefined, value);
    assert.equal(reader.wasForwarded(req), false, value);
    assert.deepEqual(req.rawHeaders, ['Host', 'a'], value);
    assert.equal(req.headers[forwardedHeader], undefined);
  }
});

test('A45: it is good for the method and the target that it was made for', () => {
  const time = { now: 5_000_000 };
  const signed = at(time).sign({ method: 'GET', url: '/a?b' }, from);
  for (const other of [{ method: 'POST' }, { url: '/a?c' }, { url: '/a' }]) {
    const reader = at(time);
    const req = requestWith(signed, other);
    reader.receive(req);
    assert.equal(reader.wasForwarded(req), false, JSON.stringify(other));
  }
});

test('a copy that is used later is not believed, and known as one that was forwarded', () => {
  for (const [later, fresh] of [
    [30_000, true],
    [-30_000, true],
    [30_001, false],
    [-30_001, false],
  ] as const) {
    const signed = at({ now: 5_000_000 }).sign({ method: 'GET', url: '/a?b' }, from);
    const reader = at({ now: 5_000_000 + later });
    const req = requestWith(signed);
    reader.receive(req);
    assert.equal(reader.of(req) !== undefined, fresh, String(later));
    assert.equal(reader.isOutOfTime(req), !fresh);
    assert.equal(reader.wasForwarded(req), true);
  }
});

test('a key for this alone: the shared key itself signs nothing that is believed', () => {
  const secret = randomBytes(32);
  assert.notDeepEqual(forwardingKey(secret), secret);
  assert.deepEqual(forwardingKey(secret), forwardingKey(secret));
});
