import assert from 'node:assert/strict';
import { statfsSync } from 'node:fs';
import { until } from '../../support/until.ts';
import type { Attack } from './attacks.ts';
import { MB, type Running, type Scope } from './inside.ts';

/** Beside the bomb: one of the same project and one of another, that have to go on as they are. */
async function neighbours(scope: Scope) {
  const all = [await scope.run('bombed'), await scope.run('neighbour')];
  const before = await Promise.all(all.map((one) => one.started()));
  return async () => {
    for (const [index, one] of all.entries()) {
      const from = performance.now();
      assert.equal(await one.started(), before[index]);
      assert.ok(performance.now() - from < 5_000, 'a neighbour is slow');
    }
  };
}

/** How it ended, within the time. */
async function ended(scope: Scope, running: Running, withinMs: number) {
  const driver = await scope.inside.driver();
  const from = performance.now();
  const exit = await driver.wait(running.id, AbortSignal.timeout(withinMs));
  return { exit, ms: performance.now() - from };
}

const disk = (path: string): Attack => ({
  async run(scope) {
    const unharmed = await neighbours(scope);
    const events = await scope.events();
    const running = await scope.run('bombed', { memory: 256 * MB, cpus: 1 });
    const free = () => {
      const { bfree, bsize } = statfsSync(scope.inside.place.folder);
      return bfree * bsize;
    };
    const before = free();
    void running.ask(`/bomb?kind=disk&mb=8000&path=${path}`).catch(() => {});
    const { ms } = await ended(scope, running, 30_000);
    const taken = before - free();
    await until(
      () => events.find(({ type, id }) => type === 'disk-full' && id === running.id),
      'its end has a reason',
    );
    const order = events.filter(({ id }) => id === running.id).map(({ type }) => type);
    assert.ok(order.indexOf('disk-full') < order.indexOf('ended') || !order.includes('ended'));
    assert.ok(ms < 10_000, `it wrote for ${ms} ms`);
    assert.ok(taken < 12_000 * MB, `the host lost ${taken / MB} MB`);
    await unharmed();
  },
});

export const bombs: Readonly<Record<string, Attack>> = {
  'A44: a memory bomb ends its own instance, for its memory': {
    async run(scope) {
      const unharmed = await neighbours(scope);
      const running = await scope.run('bombed');
      void running.ask('/bomb?kind=memory&mb=4096').catch(() => {});
      const { exit } = await ended(scope, running, 30_000);
      assert.deepEqual([exit.code, exit.outOfMemory], [137, true]);
      await unharmed();
    },
  },
  'A44: a fork bomb comes to the limit of its own processes': {
    async run(scope) {
      const unharmed = await neighbours(scope);
      const driver = await scope.inside.driver();
      const running = await scope.run('bombed', { pids: 64, memory: 512 * MB });
      const { body } = await running
        .ask('/bomb?kind=fork&mb=5000')
        .catch(() => ({ body: 'the instance ended' }));
      assert.match(body, /resource temporarily unavailable|the instance ended/);
      const stats = await driver.stats(running.id).catch(() => undefined);
      assert.ok((stats?.pids ?? 0) <= 64, `${stats?.pids} processes`);
      await unharmed();
    },
  },
  'A44: a disk bomb ends its own instance within seconds, with that reason': disk('/bomb'),
  'A44: a disk bomb in the file of host names, which lies on the host, is ended, too':
    disk('/etc/hosts'),
};
