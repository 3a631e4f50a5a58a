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

faultSuite('S3 that fails to begin or to finish a blob of parts', (fault) => {
  for (const times of [1, Number.POSITIVE_INFINITY]) {
    fault(
      `a blob whose Complete worked and lost its answer ${times} times is whole`,
      async ({ store, proxy }) => {
        const key = newKey();
        proxy.break({ on: 'CompleteMultipartUpload', fault: { kind: 'lose answer' }, times });
        await put(store, key, bytesOf(size));
        await holds(store, key, bytesOf(size));
        return [key];
      },
    );
  }

  fault(
    'a lost Complete that cannot be looked into is no success, and a resume finds it done',
    async ({ store, proxy, reopen }) => {
      const key = newKey();
      const writer = await store.create(key);
      await append(writer, bytesOf(size));
      const state = await writer.state();
      proxy.break(
        { on: 'CompleteMultipartUpload', fault: { kind: 'lose answer' } },
        { on: 'HeadObject', fault: slowDown },
      );
      await rejectsWith(writer.commit(), 'unavailable');
      await writer.release();
      proxy.heal();
      const next = await (await reopen()).resume(key, state);
      assert.equal(next.offset, size);
      assert.equal(await next.state(), state);
      await next.commit();
      await holds(store, key, bytesOf(size));
      return [key];
    },
  );

  for (const strike of [slowDown, { kind: 'hang' }] as const) {
    fault(
      `a Complete that meets ${strike.kind} only is unavailable, and can be tried later`,
      async ({ store, proxy, reopen }) => {
        const key = newKey();
        const writer = await store.create(key);
        await append(writer, bytesOf(size));
        const state = await writer.state();
        proxy.break({ on: 'CompleteMultipartUpload', fault: strike });
        await rejectsWith(writer.commit(), 'unavailable');
        assert.equal(await store.stat(key), undefined);
        await writer.release();
        proxy.heal();
        const next = await (await reopen()).resume(key, state);
        await next.commit();
        await holds(store, key, bytesOf(size));
        return [key];
      },
    );
  }

  fault('an upload whose beginning lost its answer leaves no second one', async (faulty) => {
    const key = newKey();
    const strike = { kind: 'lose answer' } as const;
    faulty.proxy.break({ on: 'CreateMultipartUpload', fault: strike, times: 1 });
    await put(faulty.store, key, bytesOf(size));
    await holds(faulty.store, key, bytesOf(size));
    return [key];
  });
});
