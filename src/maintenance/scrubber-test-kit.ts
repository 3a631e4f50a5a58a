import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { pathOf } from '../../storage-adapters/blobs/filesystem/paths.ts';
import type { Digest } from '../oci/digest.ts';
import type { BlobStore } from '../ports/blob-store.ts';
import { openWorld } from '../registry/registry-test-kit.ts';
import { ScrubDesk } from './scrub-desk.ts';
import { Scrubber } from './scrubber.ts';

export const day = 86_400_000;

/** A scrub over real stores, on a clock that its waits move. */
export async function openScrub(
  t: TestContext,
  options: { intervalMs?: number; rate?: number; store?: (real: BlobStore) => BlobStore } = {},
) {
  const world = await openWorld(t);
  const { metadata, clock, pass, folder } = world;
  const { intervalMs = 30 * day, rate = 2 ** 30 } = options;
  const store = options.store?.(world.store) ?? world.store;
  const seen = { failures: [] as unknown[], logged: [] as string[], bytes: 0, slept: 0 };
  const leading = { leads: true, writer: metadata.writer };
  let onRead = (): void => {};
  const log = (level: string) => (message: string) => void seen.logged.push(`${level}: ${message}`);
  const common = { ...metadata, clock, rate, intervalMs };
  const make = () => {
    const scrubber = new Scrubber(
      {
        ...{ ...common, store, leading },
        log: { error: log('error'), warn: log('warn'), info: log('info') },
        counted: {
          bytes: (count) => {
            seen.bytes += count;
            onRead();
          },
          blob: () => {},
          manifest: () => {},
          found: () => {},
        },
        sleep: async (ms) => {
          seen.slept += ms;
          pass(ms);
          await new Promise((resolve) => setImmediate(resolve));
        },
        failed: (cause) => seen.failures.push(cause),
      },
      2 ** 30,
    );
    t.after(() => scrubber.stop());
    return scrubber;
  };
  const scrubber = make();
  const desk = new ScrubDesk({ ...common, newId: () => 'scr_1', wake: () => scrubber.wake() });
  const read = async () => {
    scrubber.wake();
    await scrubber.idle();
  };
  const fileOf = async (digest: Digest): Promise<string> => {
    const row = await metadata.blobs.find(world.repository.id, digest);
    return pathOf(join(folder, 'blobs'), row!.key).file;
  };
  const kinds = async () =>
    Object.fromEntries(
      (await metadata.scrub.faults(undefined, 100)).map((one) => [one.digest, one.reason]),
    );
  return {
    ...{ ...world, scrubber, make, desk, read, seen, leading, fileOf, kinds },
    onRead: (listener: () => void) => {
      onRead = listener;
    },
  };
}
