import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Deployment, EnvironmentPointer } from '../ports/functions.ts';
import type { CachedImage } from '../ports/runtime-driver.ts';
import { chooseEvictions, ImageCache } from './image-cache.ts';
import { systemTimers } from './timers.ts';

const day = 86_400_000;
const now = 100 * day;

function image(name: string, daysAgo: number, size: number, inUse = false): CachedImage {
  const preparedAt = now - daysAgo * day;
  return { id: name, repository: 'a/b/c', digest: `sha256:${name}`, size, preparedAt, inUse };
}

const choose = (
  images: CachedImage[],
  options: { time?: number; space?: number; used?: Record<string, number>; pinned?: string[] },
) =>
  chooseEvictions(images, {
    usedAt: ({ id }) => options.used?.[id],
    pinned: ({ id }) => options.pinned?.includes(id) ?? false,
    limits: { time: options.time ?? 30 * day, space: options.space ?? 1_000 },
    now,
  }).map(({ id }) => id);

test('What nothing used for its time goes, oldest first; a use since then keeps it', () => {
  const images = [image('b', 40, 1), image('a', 50, 1), image('c', 45, 1), image('d', 2, 1)];
  assert.deepEqual(choose(images, {}), ['a', 'c', 'b']);
  assert.deepEqual(choose(images, { used: { c: now - day } }), ['a', 'b']);
});

test('Over the space those that were used least recently go, until the others fit', () => {
  const images = [image('a', 4, 400), image('b', 3, 400), image('c', 2, 400), image('d', 1, 400)];
  assert.deepEqual(choose(images, { space: 800 }), ['a', 'b']);
  assert.deepEqual(choose(images, { space: 1_600 }), []);
  assert.deepEqual(choose(images, { space: 800, used: { a: now - day / 2 } }), ['b', 'c']);
});

test('What was prepared or used just now stays', () => {
  const images = [image('a', 5, 400), image('b', 4, 400), image('c', 0, 900)];
  assert.deepEqual(choose(images, { space: 100, used: { a: now - 60_000 } }), ['b']);
});

test('What is deployed or runs stays, whatever its age and size, and counts', () => {
  const images = [image('a', 90, 900, true), image('b', 80, 900), image('c', 1, 100)];
  assert.deepEqual(choose(images, { pinned: ['b'], space: 1_000 }), ['c']);
  assert.deepEqual(choose(images, { space: 1_000 }), ['b']);
});

test('Images of live deployments and of those under way are kept by the loop', async () => {
  const removed: string[] = [];
  const deployment = (name: string) =>
    ({
      origin: { type: 'settings' },
      snapshot: { services: [{ digest: `sha256:${name}` }], rewrites: [] },
    }) as unknown as Deployment;
  const cache = new ImageCache({
    driver: {
      images: async () => ['live', 'coming', 'old', 'busy'].map((name) => image(name, 90, 10)),
      removeImage: async (id) => {
        removed.push(id);
        return id !== 'busy';
      },
    },
    deployments: {
      pointers: () => [{ deploymentId: 'dpl_live' } as EnvironmentPointer],
      findById: (id) => (id === 'dpl_live' ? deployment('live') : undefined),
      inStates: () => [
        {
          snapshot: undefined,
          origin: { type: 'push', digest: 'sha256:coming' },
        } as unknown as Deployment,
      ],
    },
    limits: { time: day, space: 10 ** 9 },
    clock: { now: () => now },
    timers: systemTimers,
    log: { info: () => {}, warn: (message, fields) => assert.fail(`${message} ${fields?.cause}`) },
  });
  assert.equal(await cache.sweep(), 10, 'one that could not be removed frees nothing');
  assert.deepEqual(removed.sort(), ['busy', 'old']);
  await cache.close();
});
