import assert from 'node:assert/strict';
import { slowDown } from '../../../conformance/faults/s3-proxy.ts';
import {
  append,
  bytesOf,
  holds,
  newKey,
  put,
  rejectsWith,
} from '../../contract/blob-store/bench.ts';
import { faultSuite } from './fault-test-suite.ts';
import { unit } from './test-place.ts';

const size = 3 * unit + 1_000;

faultSuite('S3 that fails while parts are sent', (fault) => {
  for (const [what, strike] of [
    ['503 SlowDown', slowDown],
    ['silence', { kind: 'hang' }],
    ['a cut in mid-part', { kind: 'cut', after: unit / 2 }],
    ['a lost answer', { kind: 'lose answer' }],
  ] as const) {
    fault(`a part that meets ${what} is sent again`, async ({ store, proxy }) => {
      const key = newKey();
      proxy.break({ on: 'UploadPart', fault: strike, times: 2 });
      await put(store, key, bytesOf(size));
      assert.equal(proxy.seen.filter((seen) => seen.fault === strike.kind).length, 2);
      await holds(store, key, bytesOf(size));
      return [key];
    });

    fault(
      `parts that meet nothing but ${what} are unavailable, and the last state goes on`,
      async ({ store, proxy, reopen }) => {
        const key = newKey();
        const bytes = bytesOf(size);
        let recorded = '';
        const record = async (state: string) => {
          recorded = state;
        };
        const writer = await store.create(key, record);
        await append(writer, bytes.subarray(0, unit + 10));
        recorded = await writer.state();
        proxy.break({ on: 'UploadPart', fault: strike });
        await rejectsWith(
          (async () => {
            await append(writer, bytes.subarray(unit + 10));
            await writer.commit();
          })(),
          'unavailable',
        );
        assert.equal(writer.broken, true);
        await rejectsWith(writer.commit(), 'unavailable');
        assert.equal(await store.stat(key), undefined, 'nothing is committed');
        await writer.release();
        proxy.heal();
        const next = await (await reopen()).resume(key, recorded, record);
        await append(next, bytes.subarray(next.offset));
        await next.commit();
        await holds(store, key, bytes);
        return [key];
      },
    );
  }

  fault(
    'a part that is changed on its way is refused by its checksum',
    async ({ store, proxy }) => {
      proxy.break({ on: 'UploadPart', fault: { kind: 'corrupt' } });
      const writer = await store.create(newKey());
      await rejectsWith(
        (async () => {
          await append(writer, bytesOf(size));
          await writer.commit();
        })(),
        'unavailable',
      );
      await writer.cancel();
      return [];
    },
  );

  fault('a small blob that is changed on its way is refused by its checksum', async (faulty) => {
    faulty.proxy.break({ on: 'PutObject', fault: { kind: 'corrupt' } });
    const writer = await faulty.store.create(newKey());
    await append(writer, bytesOf(1_000));
    await rejectsWith(writer.commit(), 'unavailable');
    await writer.cancel();
    return [];
  });
});
