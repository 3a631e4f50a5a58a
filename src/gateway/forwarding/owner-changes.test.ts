import assert from 'node:assert/strict';
import { type RequestListener, request } from 'node:http';
import test from 'node:test';
import { ask, echo } from '../gateway-test-kit.ts';
import { startPeer } from './forwarding-test-kit.ts';

/** Of a process that nothing should reach. */
const never: RequestListener = () => assert.fail('it was asked');
const noTime = { withinMs: 0, everyMs: 1 };

test('what was forwarded once is not forwarded again', async (t) => {
  const last = await startPeer(t, never);
  const middle = await startPeer(t, never, { owner: { address: { origin: last.origin } } });
  const front = await startPeer(t, never, {
    owner: { address: { origin: middle.origin } },
    times: noTime,
  });
  // Each of the two believes that the other runs functions.
  middle.owner = { address: { origin: front.origin } };
  const answer = await ask(front.port);
  assert.deepEqual([answer.status, JSON.parse(answer.body).code], [503, 'OWNER_UNREACHABLE']);
  assert.equal(answer.headers['retry-after'], '5');
});

test('a copy of another time is refused, also by the owner', async (t) => {
  const owner = await startPeer(t, never, { now: () => 2_000_000 });
  const front = await startPeer(t, never, { owner: { address: { origin: owner.origin } } });
  const answer = await ask(front.port);
  assert.deepEqual([answer.status, JSON.parse(answer.body).code], [503, 'CLOCKS_DIFFER']);
});

test('while the owner changes, requests wait for the next one, bodies as well', async (t) => {
  const owner = await startPeer(t, echo);
  const front = await startPeer(t, (_req, res) => res.end('here'), {
    owner: { none: 'Nobody runs functions.', sinceMs: 0 },
  });
  const waiting = ask(front.port, { method: 'POST', body: 'body' });
  while (front.looks < 3) await new Promise(setImmediate);
  // One that cannot be reached is no better than none.
  const gone = await startPeer(t, never);
  await gone.end();
  front.owner = { address: { origin: gone.origin } };
  const looked = front.looks;
  while (front.looks < looked + 3) await new Promise(setImmediate);
  front.owner = { address: { origin: owner.origin } };
  assert.equal(JSON.parse((await waiting).body).body, 'body');

  front.owner = { none: 'Nobody runs functions.', sinceMs: 0 };
  const second = ask(front.port);
  const before = front.looks;
  while (front.looks < before + 2) await new Promise(setImmediate);
  front.owner = { here: true };
  assert.equal((await second).body, 'here');
});

test('an owner that is none any more says so, and requests wait for the next', async (t) => {
  const next = await startPeer(t, (_req, res) => res.end('next'));
  const before = await startPeer(t, never, { owner: { address: { origin: next.origin } } });
  const front = await startPeer(t, never, { owner: { address: { origin: before.origin } } });
  const waiting = ask(front.port);
  while (front.looks < 2) await new Promise(setImmediate);
  // What has sent its body cannot be sent again.
  const sent = await ask(front.port, { method: 'POST', body: 'body' });
  assert.deepEqual([sent.status, JSON.parse(sent.body).code], [503, 'OWNER_CHANGED']);
  front.owner = { address: { origin: next.origin } };
  assert.equal((await waiting).body, 'next');
});

test('nobody runs functions: refused after a time, at once where that has passed', async (t) => {
  const front = await startPeer(t, never, {
    owner: { none: 'No replica has an engine.', sinceMs: 0 },
    times: { withinMs: 50, everyMs: 5 },
  });
  for (const sinceMs of [0, 60_000]) {
    front.looks = 0;
    front.owner = { none: 'No replica has an engine.', sinceMs };
    const answer = await ask(front.port);
    assert.equal(answer.status, 503);
    assert.deepEqual(JSON.parse(answer.body), {
      ...{ code: 'NO_OWNER', message: 'No replica has an engine.' },
      hint: 'Try again in a moment.',
    });
    assert.equal(front.looks > 0, sinceMs === 0);
  }
  front.owner = { none: 'GANTRY_PEER_URL is not set.', sinceMs: 0, final: true };
  front.looks = 0;
  assert.equal((await ask(front.port)).status, 503);
  assert.equal(front.looks, 0);
});

test('a client that goes away while it waits waits no more', async (t) => {
  const front = await startPeer(t, never, { owner: { none: 'Nobody.', sinceMs: 0 } });
  const req = request({ host: '127.0.0.1', port: front.port, agent: false }).end();
  req.on('error', () => {});
  while (front.looks < 2) await new Promise(setImmediate);
  const closed = new Promise((done) => req.once('close', done));
  req.destroy();
  await closed;
  let looks = -1;
  while (looks !== front.looks) {
    looks = front.looks;
    await new Promise((done) => setTimeout(done, 50));
  }
});
