import assert from 'node:assert/strict';
import type { RuntimeEvent, RuntimeLogLine } from '../../ports/runtime-driver.ts';
import { type Cases, refuses, until } from './bench.ts';

export const observing: Cases = {
  'lines tell their stream and time, and begin where is asked': async (bench) => {
    const from = Date.now();
    const { id } = await bench.script(
      'echo one; echo two >&2; /bin/busybox sleep 0.2; echo three; /bin/busybox printf "no end"',
    );
    await bench.driver.wait(id);
    const lines = await all(bench.driver.logs(id, { follow: false }));
    const of = (stream: string) => lines.filter((line) => line.stream === stream);
    assert.deepEqual(
      of('stdout').map(({ text }) => text),
      ['one', 'three', 'no end'],
    );
    assert.deepEqual(
      of('stderr').map(({ text }) => text),
      ['two'],
    );
    for (const { at } of lines) assert.ok(at >= from - 5 && at <= Date.now() + 5, `${at}`);
    const third = lines.find(({ text }) => text === 'three')!;
    const later = await all(bench.driver.logs(id, { follow: false, since: third.at }));
    assert.deepEqual(
      later.map(({ text }) => text),
      ['three', 'no end'],
    );
    const tail = await all(bench.driver.logs(id, { follow: false, tail: 1 }));
    assert.deepEqual(
      tail.map(({ text }) => text),
      ['no end'],
    );
    await refuses(all(bench.driver.logs('0'.repeat(64), { follow: false })), 'no-such-instance');
  },

  'followed lines come at once, until the end or until told': async (bench) => {
    const { id } = await bench.script(
      'echo one; while [ ! -e /tmp/go ]; do /bin/busybox sleep 0.02; done; echo two',
    );
    const lines = bench.driver.logs(id, { follow: true })[Symbol.asyncIterator]();
    assert.equal((await lines.next()).value?.text, 'one');
    await bench.inside(id, '/bin/busybox', 'touch', '/tmp/go');
    assert.equal((await lines.next()).value?.text, 'two');
    assert.equal((await lines.next()).done, true);
    const endless = await bench.script('echo one; while :; do /bin/busybox sleep 1; done');
    const abort = new AbortController();
    const seen: string[] = [];
    const options = { follow: true, signal: abort.signal };
    for await (const { text } of bench.driver.logs(endless.id, options)) {
      seen.push(text);
      abort.abort();
    }
    assert.deepEqual(seen, ['one']);
    await bench.driver.remove(endless.id);
  },

  'a long line is one line': async (bench) => {
    const { id } = await bench.script(
      "/bin/busybox head -c 100000 /dev/zero | /bin/busybox tr '\\0' x; echo; echo short",
    );
    await bench.driver.wait(id);
    const lines = await all(bench.driver.logs(id, { follow: false }));
    assert.deepEqual(
      lines.map(({ text }) => text.length),
      [100_000, 5],
    );
    assert.equal(lines[0]!.text, 'x'.repeat(100_000));
  },

  'what happens to instances is told in order, and of no other installation': async (bench) => {
    const abort = new AbortController();
    const seen: RuntimeEvent[] = [];
    const told = (async () => {
      for await (const event of bench.driver.events(abort.signal)) seen.push(event);
    })();
    const stranger = await bench.reopen({ installation: 'another' });
    const image = await bench.image();
    // Until the engine listens to the subscription: events of before are not told.
    await until(async () => {
      const { id } = await bench.run(image, { command: ['/bin/sh', '-c', 'exit 0'] });
      await bench.driver.wait(id);
      await bench.driver.remove(id);
      return seen.length > 0;
    }, 'events come');
    const spec = bench.spec(image, { command: ['/bin/sh', '-c', 'exit 6'] });
    const other = await stranger.create({
      ...spec,
      instanceId: `${spec.instanceId}-other`,
      labels: { ...spec.labels, installation: 'another' },
    });
    await stranger.start(other.id);
    await stranger.remove(other.id);
    const from = Date.now();
    const { id } = await bench.driver.create(spec);
    await bench.driver.start(id);
    await bench.driver.wait(id);
    await bench.driver.remove(id);
    const full = await bench.script('exec /bin/busybox tail /dev/zero', { memory: 16 << 20 });
    await bench.driver.wait(full.id);
    await bench.driver.remove(full.id);
    await until(
      async () => seen.some((event) => event.id === full.id && event.type === 'removed'),
      'the last event',
    );
    const of = (wanted: string) => seen.filter((event) => event.id === wanted);
    assert.deepEqual(
      of(id).map(({ type }) => type),
      ['started', 'ended', 'removed'],
    );
    assert.deepEqual(of(id)[1]?.exit, { code: 6, outOfMemory: false });
    for (const event of of(id)) {
      assert.equal(event.instanceId, spec.instanceId);
      assert.ok(event.at >= from - 5 && event.at <= Date.now() + 5, `${event.at}`);
    }
    assert.deepEqual(
      of(full.id).map(({ type }) => type),
      ['started', 'out-of-memory', 'ended', 'removed'],
    );
    assert.deepEqual(of(full.id)[2]?.exit, { code: 137, outOfMemory: true });
    assert.deepEqual(of(other.id), []);
    abort.abort();
    await told;
  },

  'CPU time, memory and processes are counted': async (bench) => {
    const { driver } = bench;
    const { id } = await bench.script(
      // About 20 MB in memory.
      'x=$(/bin/busybox head -c 10000000 /dev/zero | /bin/busybox tr "\\0" x); echo held; ' +
        'while :; do /bin/busybox sleep 0.1; done',
    );
    await bench.prints(id, 'held');
    const first = await driver.stats(id);
    assert.ok(first.cpuMicros > 1_000, `${first.cpuMicros}`);
    assert.ok(first.memory > 9e6 && first.memory < 64 << 20, `${first.memory}`);
    assert.ok(first.pids >= 1 && first.pids <= 3, `${first.pids}`);
    await until(
      async () => (await driver.stats(id)).cpuMicros > first.cpuMicros,
      'CPU time is counted',
    );
    await driver.remove(id);
    await refuses(driver.stats(id), 'no-such-instance');
  },

  'the writable layer is measured, with volumes that the image declares': async (bench) => {
    const image = await bench.image({ volumes: ['/kept'] });
    const { id } = await bench.run(image, {
      command: ['/bin/sh', '-c', 'while :; do /bin/busybox sleep 0.1; done'],
    });
    const before = await bench.driver.writableBytes(id);
    assert.ok(before < 1 << 20, `${before}`);
    for (const [path, expected] of [
      ['/tmp/file', 8e6],
      ['/kept/file', 16e6],
    ] as const) {
      await bench.inside(
        id,
        ...`/bin/busybox dd if=/dev/zero of=${path} bs=1000000 count=8`.split(' '),
      );
      const grown = (await bench.driver.writableBytes(id)) - before;
      assert.ok(grown >= expected && grown < expected + 1e6, `${path}: ${grown}`);
    }
  },
};

async function all(lines: AsyncIterable<RuntimeLogLine>): Promise<RuntimeLogLine[]> {
  const found: RuntimeLogLine[] = [];
  for await (const line of lines) found.push(line);
  return found;
}
