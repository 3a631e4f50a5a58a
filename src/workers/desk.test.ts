import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RegistryError, refuse } from '../oci/errors.ts';
import type { CommandWriter } from '../ports/commands.ts';
import type { RateLimiters } from '../ports/rate-limiter.ts';
import { Channel, type Pipe } from './channel.ts';
import { Desk } from './desk.ts';
import { linkOf } from './link.ts';

/** Counts by key, for ever. */
const counting: RateLimiters = (quota) => {
  const counts = new Map<string, number>();
  const stateOf = (count: number) => ({
    ...{ remaining: Math.max(0, quota - count), resetMs: 1_000, allowed: count <= quota },
  });
  return {
    async consume(key) {
      const count = (counts.get(key) ?? 0) + 1;
      counts.set(key, count);
      return stateOf(count);
    },
    peek: async (key) => (counts.has(key) ? stateOf(counts.get(key)!) : undefined),
  };
};

/** Commands that a test lets end. */
function heldWriter() {
  const held: { name: string; end: PromiseWithResolvers<never> }[] = [];
  const writer: CommandWriter = {
    run(name) {
      const end = Promise.withResolvers<never>();
      held.push({ name, end });
      return end.promise;
    },
  };
  return { writer, held };
}

function connect(desk: Desk, owner: string) {
  const listeners: ((messages: readonly Uint8Array[]) => void)[] = [];
  const pipe = (own: number): Pipe => ({
    send: (messages) => setImmediate(() => listeners[1 - own]!(messages)),
    receive: (listener) => {
      listeners[own] = listener;
    },
    ended() {},
  });
  const side = desk.side(owner);
  const channel = new Channel(pipe(0), {});
  new Channel(pipe(1), side.answers);
  return { side, link: linkOf(channel) };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

function newDesk(writer: CommandWriter = heldWriter().writer) {
  const told: string[] = [];
  const desk = new Desk({
    ...{ writer, limiters: counting },
    failed: (command, error) => told.push(`${command}: ${(error as Error).message}`),
    discarded: () => told.push('discarded'),
    pushed: () => told.push('pushed'),
  });
  return { desk, told };
}

test('the primary and all workers count in the same limiters, in the order in which they are made', async () => {
  const { desk } = newDesk();
  const [logins, tokens] = [desk.limiters(2, 60), desk.limiters(100, 60)];
  const workers = [connect(desk, '1'), connect(desk, '2')].map(({ link }) => [
    link.limiters(2, 60),
    link.limiters(100, 60),
  ]);
  assert.equal(await workers[0]![0]!.peek('a'), undefined);
  assert.equal((await workers[0]![0]!.consume('a')).remaining, 1);
  assert.equal((await logins.consume('a')).remaining, 0);
  assert.deepEqual(await workers[1]![0]!.consume('a'), {
    ...{ remaining: 0, resetMs: 1_000, allowed: false },
  });
  assert.equal((await workers[1]![0]!.peek('a'))?.remaining, 0);
  assert.equal((await workers[1]![1]!.consume('a')).remaining, 99);
  assert.equal((await tokens.peek('a'))?.remaining, 99);
});

test('commands reach the writer by name, and come back with its results and refusals', async () => {
  const { writer, held } = heldWriter();
  const { desk, told } = newDesk(writer);
  const { link } = connect(desk, '1');
  const first = link.writer.run('ForgetKeys', { keys: ['a'] });
  const second = link.writer.run('ForgetKeys', { keys: ['b'] });
  while (held.length < 2) await turn();
  held[1]!.end.resolve({ count: 2 } as never);
  assert.deepEqual(await second, { count: 2 });
  held[0]!.end.reject(refuse('storage-full', 'No room.'));
  await assert.rejects(
    first,
    (error) => error instanceof RegistryError && error.kind === 'storage-full',
  );
  link.discarded();
  link.pushed();
  while (told.length < 3) await turn();
  assert.deepEqual(told, ['ForgetKeys: No room.', 'discarded', 'pushed']);
});

test('what fails here is told here, with its stack; what is refused is not', async () => {
  const { writer, held } = heldWriter();
  const { desk, told } = newDesk(writer);
  const { link } = connect(desk, '1');
  const refusedOne = link.writer.run('ForgetKeys', { keys: ['a'] });
  const failedOne = link.writer.run('ForgetKeys', { keys: ['b'] });
  while (held.length < 2) await turn();
  held[0]!.end.reject(refuse('conflict', 'Taken.'));
  await assert.rejects(refusedOne, { kind: 'conflict' });
  held[1]!.end.reject(new TypeError('a mistake'));
  await assert.rejects(failedOne, { kind: 'internal' });
  assert.deepEqual(told, ['ForgetKeys: a mistake']);
});

test('uploads of a worker that died are free once all that it had asked for is done', async () => {
  const { writer, held } = heldWriter();
  const { desk } = newDesk(writer);
  const dead = connect(desk, '1');
  const other = connect(desk, '2');
  const mine = await dead.link.claims.take('u', () => {});
  assert.equal(mine.holder, undefined);
  const busy = { kind: 'upload-conflict' };
  await assert.rejects(
    other.link.claims.take('u', () => {}),
    busy,
  );
  await assert.rejects(
    desk.claims.take('u', () => {}),
    busy,
  );
  void dead.link.writer.run('ForgetKeys', { keys: [] });
  while (held.length < 1) await turn();
  const gone = dead.side.gone();
  for (let at = 0; at < 5; at++) await turn();
  await assert.rejects(
    other.link.claims.take('u', () => {}),
    busy,
  );
  held[0]!.end.resolve(null as never);
  await gone;
  const theirs = await other.link.claims.take('u', () => {});
  assert.deepEqual([theirs.untouched, theirs.moved], [false, true]);
  await theirs.release();
  for (let at = 0; at < 5; at++) await turn();
  assert.equal((await desk.claims.take('u', () => {})).moved, true);
});
