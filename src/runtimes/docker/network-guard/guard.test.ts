import assert from 'node:assert/strict';
import test from 'node:test';
import { startNetworkGuard } from './guard.ts';

test('what an operator is to run is told at the first look, and not at each', async () => {
  const told: string[] = [];
  const { promise: looked, resolve } = Promise.withResolvers<void>();
  let looks = 0;
  const guard = startNetworkGuard({
    installation: 'of no helper',
    ...{ pool: '10.213.0.0/16', reach: [], dns: [], privateRanges: [] },
    networks: undefined as never,
    ...{ root: false, helperLine: 'sudo node guard', checkMs: 1 },
    tell: (message) => told.push(message),
    seen: () => {
      if (++looks === 3) resolve();
    },
  });
  await looked;
  await guard.close();
  assert.equal(told.length, 1, told.join('\n'));
  assert.match(told[0]!, /keep this running on the host: sudo node guard/);
});
