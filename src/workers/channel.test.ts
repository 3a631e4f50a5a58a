import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RegistryError, refuse } from '../oci/errors.ts';
import { type Answers, Channel, type ChannelLimits, type Pipe } from './channel.ts';

/** Two ends of one pipe in this process; `cut` is what the death of either looks like. */
function joined() {
  const ends = [0, 1].map(() => ({
    take: (_: readonly Uint8Array[]) => {},
    end: () => {},
    sent: [] as number[],
  }));
  const pipe = (own: number): Pipe => ({
    send(messages) {
      ends[own]!.sent.push(messages.length);
      setImmediate(() => ends[1 - own]!.take(messages));
    },
    receive: (listener) => {
      ends[own]!.take = listener;
    },
    ended: (listener) => {
      ends[own]!.end = listener;
    },
  });
  return {
    pipes: [pipe(0), pipe(1)] as const,
    sent: (own: number) => ends[own]!.sent,
    cut: () => {
      for (const end of ends) end.end();
    },
  };
}

function pair(answers: Answers, limits: Partial<ChannelLimits> = {}) {
  const { pipes, sent, cut } = joined();
  const worker = new Channel(pipes[0], {}, limits);
  const primary = new Channel(pipes[1], answers);
  return { worker, primary, sent, cut };
}

test('buffers, bigints, undefined and dates of both directions are what they were', async () => {
  const { worker } = pair({ echo: (value: unknown) => value });
  const sent = {
    ...{ bytes: Buffer.from([0, 255, 7]), big: 2n ** 60n, none: undefined, at: new Date(5) },
    nested: [{ map: new Map([['a', new Uint8Array([1, 2])]]) }],
  };
  const got = await worker.call<typeof sent>('echo', sent);
  assert.ok(Buffer.isBuffer(got.bytes));
  assert.deepEqual(got, sent);
  assert.ok('none' in got);
});

test('refusals come back as they were thrown; what else fails is told in general words', async () => {
  const { worker } = pair({
    refuse: () => {
      throw refuse('tag-immutable', 'No.', 'Use another tag.', { tag: 'v1' });
    },
    fail: () => Promise.reject(new TypeError('inside')),
  });
  const refused = (kind: string) => (error: unknown) =>
    error instanceof RegistryError && error.kind === kind;
  await assert.rejects(worker.call('refuse', 1), (error) => {
    assert.ok(error instanceof RegistryError);
    assert.deepEqual(error.info, {
      ...{ kind: 'tag-immutable', message: 'No.', hint: 'Use another tag.', detail: { tag: 'v1' } },
    });
    return true;
  });
  await assert.rejects(worker.call('fail', 1), refused('internal'));
  await assert.rejects(worker.call('unheard', 1), refused('internal'));
});

test('calls of one turn travel together, and are answered each by its own answer', async () => {
  const { worker, sent } = pair({ twice: (n: number) => n * 2 });
  const answers = await Promise.all([1, 2, 3, 4].map((n) => worker.call<number>('twice', n)));
  assert.deepEqual(answers, [2, 4, 6, 8]);
  assert.deepEqual(sent(0), [4]);
  assert.deepEqual(sent(1), [4]);
});

test('when the other end goes, what is under way, and what comes after, is refused', async () => {
  const { worker, cut } = pair({ never: () => new Promise(() => {}) });
  const ended = Promise.withResolvers<void>();
  worker.onEnd(ended.resolve);
  const asked = Promise.allSettled([worker.call('never', 1), worker.call('never', 2)]);
  setImmediate(cut);
  for (const one of await asked) {
    assert.equal(one.status, 'rejected');
    assert.equal(((one as PromiseRejectedResult).reason as RegistryError).kind, 'unavailable');
  }
  await ended.promise;
  await assert.rejects(worker.call('never', 3), { message: /cannot be written/ });
  assert.equal(worker.underWay, 0);
});

test('calls beyond what may be under way wait their turn, and too many of them are refused', async () => {
  const open: (() => void)[] = [];
  let most = 0;
  const { worker } = pair(
    {
      hold: async () => {
        const gate = Promise.withResolvers<void>();
        open.push(gate.resolve);
        most = Math.max(most, open.length);
        await gate.promise;
      },
    },
    { calls: 2, waiting: 3 },
  );
  const calls = [1, 2, 3, 4, 5].map((n) => worker.call('hold', n));
  await assert.rejects(worker.call('hold', 6), { message: /Too many writes/ });
  let done = 0;
  for (const call of calls) void call.then(() => done++);
  while (done < 5) {
    for (const release of open.splice(0)) release();
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(most, 2);
});

test('bytes under way are bounded, and a message that is too large is refused before it is sent', async () => {
  let held = 0;
  let most = 0;
  const { worker, sent } = pair(
    {
      take: async (bytes: Uint8Array) => {
        held += bytes.length;
        most = Math.max(most, held);
        await new Promise((resolve) => setImmediate(resolve));
        held -= bytes.length;
        return bytes.length;
      },
    },
    { bytes: 3_000, message: 10_000 },
  );
  const sizes = [1_000, 1_000, 1_000, 5_000, 200];
  const answers = await Promise.all(
    sizes.map((size) => worker.call<number>('take', Buffer.alloc(size))),
  );
  assert.deepEqual(answers, sizes);
  assert.equal(most, 5_000, 'the large one goes alone');
  const before = sent(0).length;
  await assert.rejects(worker.call('take', Buffer.alloc(10_001)), { message: /more than 10000/ });
  assert.equal(sent(0).length, before);
});
