import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RuntimeEvent } from '../../ports/runtime-driver.ts';
import { mergedEvents } from './merged-events.ts';
import { publicEndpoints } from './network-guard/public-endpoints.ts';

const event = (type: RuntimeEvent['type'], id: string): RuntimeEvent => ({
  ...{ type, id, instanceId: id, at: 0 },
});

test("What is found out beside the engine comes between its events, and ends with the engine's", async () => {
  let tell: (event: RuntimeEvent) => void = () => {};
  let listening = false;
  const more = Promise.withResolvers<void>();
  async function* engine() {
    yield event('started', 'a');
    await more.promise;
    yield event('ended', 'a');
  }
  const seen: string[] = [];
  const merged = mergedEvents(engine(), (listener) => {
    tell = listener;
    listening = true;
    return () => {
      listening = false;
    };
  });
  for await (const { type } of merged) {
    seen.push(type);
    if (type === 'started') tell(event('disk-full', 'a'));
    if (type === 'disk-full') more.resolve();
  }
  assert.deepEqual(seen, ['started', 'disk-full', 'ended']);
  assert.equal(listening, false);
});

test("The engine's failure is passed on", async () => {
  // biome-ignore lint/correctness/useYield: it fails before its first
  async function* engine(): AsyncGenerator<RuntimeEvent> {
    throw new Error('gone');
  }
  const merged = mergedEvents(engine(), () => () => {});
  await assert.rejects(merged.next(), /gone/);
});

test('Public URLs are reached at the addresses of their names; loopback is left out', async () => {
  const resolve = (host: string) =>
    host === 'absent.test'
      ? Promise.reject(new Error('ENOTFOUND'))
      : Promise.resolve(host === 'localhost' ? ['127.0.0.1'] : ['192.0.2.7', '192.0.2.8']);
  const urls = ['https://registry.test', 'http://localhost:5050', 'http://absent.test:81'];
  assert.deepEqual(await publicEndpoints(urls, resolve), ['192.0.2.7:443', '192.0.2.8:443']);
  assert.deepEqual(await publicEndpoints(['http://registry.test:8080'], resolve), [
    '192.0.2.7:8080',
    '192.0.2.8:8080',
  ]);
});
