import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { openAuthKit } from '../auth/auth-test-kit.ts';
import { Leader } from './leader.ts';

/** Timers never fire: `look` is called by hand. */
const times = { ttlMs: 60_000, everyMs: 2 ** 30 };

async function open(t: TestContext) {
  const { metadata } = await openAuthKit(t);
  let now = 0;
  let down = false;
  const writer: typeof metadata.writer = {
    run: (name, args, fence) =>
      down ? Promise.reject(new Error('down')) : metadata.writer.run(name, args, fence),
  };
  const leader = (holder: string, address?: string) =>
    new Leader(
      {
        ...{ name: 'maintenance', holder, leases: metadata.leases, writer },
        ...{ log: { info: () => {} }, clock: () => now, address: () => address },
      } as const,
      times,
    );
  const expire = () => metadata.writer.run('ReleaseLease', { name: 'maintenance', holder: 'a' });
  return {
    ...{ metadata, leader, expire },
    pass: (ms: number) => {
      now += ms;
    },
    break: (is: boolean) => {
      down = is;
    },
  };
}

const team = { id: 'team_x', slug: 'x-team', name: 'X', plan: 'pro', createdAt: 0 } as const;

test('one leads, the other follows when the lease is given back', async (t) => {
  const world = await open(t);
  const [a, b] = [world.leader('a'), world.leader('b')];
  t.after(() => Promise.all([a.close(), b.close()]));
  let gained = 0;
  b.onGained(() => {
    gained += 1;
  });
  await a.look();
  await b.look();
  assert.deepEqual([a.leads, b.leads, b.overtaken, gained], [true, false, true, 0]);
  await assert.rejects(b.writer.run('CreateTeam', team), { kind: 'unavailable' });
  await a.close();
  await b.look();
  assert.deepEqual([a.leads, b.leads, b.overtaken, gained], [false, true, false, 1]);
  await b.look();
  assert.equal(gained, 1);
  await b.writer.run('CreateTeam', team);
});

test('a leader that stood still writes nothing once another took over', async (t) => {
  const world = await open(t);
  const [a, b] = [world.leader('a'), world.leader('b')];
  t.after(() => Promise.all([a.close(), b.close()]));
  await a.look();
  await world.expire();
  await b.look();
  // It has not looked since: it believes that it leads.
  assert.equal(a.leads, true);
  await assert.rejects(a.writer.run('CreateTeam', team), { kind: 'conflict' });
  assert.equal(await world.metadata.teams.findById('team_x'), undefined);
  await a.look();
  assert.deepEqual([a.leads, a.overtaken], [false, true]);
});

test('without the database nobody leads for longer than the lease; afterwards it goes on', async (t) => {
  const world = await open(t);
  const a = world.leader('a');
  t.after(() => a.close());
  let gained = 0;
  a.onGained(() => {
    gained += 1;
  });
  await a.look();
  world.break(true);
  world.pass(times.ttlMs - 1);
  await a.look();
  assert.equal(a.leads, true);
  world.pass(1);
  assert.deepEqual([a.leads, a.overtaken], [false, false]);
  world.break(false);
  await a.look();
  assert.deepEqual([a.leads, gained], [true, 2]);
});

test('one that stands by takes no lease, and gives back what it has; it says where the other is', async (t) => {
  const world = await open(t);
  const [a, b] = [world.leader('a', 'http://10.0.0.1:1'), world.leader('b')];
  t.after(() => Promise.all([a.close(), b.close()]));
  await a.look();
  await b.look();
  assert.deepEqual(b.other, { address: 'http://10.0.0.1:1', remainingMs: b.other?.remainingMs });
  assert.ok(b.other.remainingMs > 0);
  world.pass(times.ttlMs + 1);
  assert.ok(b.other.remainingMs <= 0);
  await a.standBy(true);
  await a.look();
  assert.deepEqual([a.leads, a.overtaken], [false, false]);
  await b.look();
  assert.deepEqual([b.leads, b.other], [true, undefined]);
  await a.standBy(false);
  assert.deepEqual([a.leads, a.overtaken], [false, true]);
  await b.standBy(true);
  await a.look();
  assert.equal(a.leads, true);
});
