import assert from 'node:assert/strict';
import { type Cases, listenOn, refuses, until } from './bench.ts';

const heedless = 'trap "echo heard" TERM; echo ready; while :; do /bin/busybox sleep 0.05; done';
const heeding =
  'trap "echo bye; exit 3" TERM; echo ready; while :; do /bin/busybox sleep 0.05; done';

export const lives: Cases = {
  'one is created, started, stopped and removed, and the list tells': async (bench) => {
    const { driver } = bench;
    const spec = bench.spec(await bench.image(), { command: ['/bin/sh', '-c', heeding] });
    const created = await driver.create(spec);
    assert.deepEqual(
      [created.state, created.address, created.exit, created.instanceId],
      ['created', undefined, undefined, spec.instanceId],
    );
    assert.deepEqual(await driver.list(), [created]);
    const started = await driver.start(created.id);
    assert.equal(started.state, 'running');
    assert.match(started.address ?? '', /^\d+\.\d+\.\d+\.\d+$/);
    assert.deepEqual(started.labels, spec.labels);
    assert.deepEqual(await driver.list(), [started]);
    await bench.prints(started.id, 'ready');
    assert.deepEqual(await driver.stop(started.id, 10_000), { code: 3, outOfMemory: false });
    const [ended] = await driver.list();
    assert.equal(ended?.state, 'ended');
    assert.deepEqual(ended?.exit, { code: 3, outOfMemory: false });
    assert.equal(ended?.address, undefined);
    assert.deepEqual(await driver.stop(started.id, 10_000), { code: 3, outOfMemory: false });
    await driver.remove(started.id);
    await driver.remove(started.id);
    assert.deepEqual(await driver.list(), []);
  },

  'another driver on the same place finds what is there; another installation does not': async (
    bench,
  ) => {
    const image = await bench.image();
    const created = await bench.driver.create(bench.spec(image));
    const running = await bench.run(image, { command: ['/bin/sh', '-c', heeding] });
    const frozen = await bench.run(image, { command: ['/bin/sh', '-c', heeding] });
    await bench.driver.freeze(frozen.id);
    const adopting = await bench.reopen();
    const found = new Map((await adopting.list()).map((each) => [each.id, each]));
    assert.deepEqual(found.get(created.id), created);
    assert.deepEqual(found.get(running.id), running);
    assert.deepEqual(found.get(frozen.id), { ...frozen, state: 'frozen' });
    assert.equal(found.size, 3);
    await adopting.thaw(frozen.id);
    assert.equal((await adopting.stop(frozen.id, 10_000)).code, 3);
    const stranger = await bench.reopen({ installation: 'another' });
    assert.deepEqual(await stranger.list(), []);
  },

  'a heedless one is killed when the grace ends, and not before': async (bench) => {
    const { id } = await bench.script(heedless);
    await bench.prints(id, 'ready');
    const from = performance.now();
    const exit = await bench.driver.stop(id, 700);
    const took = performance.now() - from;
    assert.deepEqual(exit, { code: 137, outOfMemory: false, killed: true });
    assert.ok(took >= 700 && took < 10_000, `${took} ms`);
    assert.match(await bench.output(id), /heard/);
  },

  'the end is announced by SIGTERM, whatever signal the image names': async (bench) => {
    const image = await bench.image({ stopSignal: 'SIGINT' });
    const { id } = await bench.run(image, { command: ['/bin/sh', '-c', heeding] });
    await bench.prints(id, 'ready');
    assert.equal((await bench.driver.stop(id, 10_000)).code, 3);
  },

  'a frozen one gets no CPU until it is thawed, and is stopped as others are': async (bench) => {
    const { driver } = bench;
    const { id } = await bench.script(heeding);
    await bench.prints(id, 'ready');
    await driver.freeze(id);
    await driver.freeze(id);
    const before = (await driver.stats(id)).cpuMicros;
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.equal((await driver.stats(id)).cpuMicros, before);
    await driver.thaw(id);
    await driver.thaw(id);
    await until(async () => (await driver.stats(id)).cpuMicros > before, 'it goes on');
    await driver.freeze(id);
    assert.deepEqual(await driver.stop(id, 10_000), { code: 3, outOfMemory: false });
  },

  'a wait tells the end, from before the start, and after the end': async (bench) => {
    const { driver } = bench;
    const spec = bench.spec(await bench.image(), { command: ['/bin/sh', '-c', 'exit 4'] });
    const { id } = await driver.create(spec);
    const waited = driver.wait(id);
    const early = await Promise.race([waited, new Promise((resolve) => setTimeout(resolve, 200))]);
    assert.equal(early, undefined, 'what has not begun has not ended');
    await driver.start(id);
    assert.deepEqual(await waited, { code: 4, outOfMemory: false });
    assert.deepEqual(await driver.wait(id), { code: 4, outOfMemory: false });
    await driver.remove(id);
    await refuses(driver.wait(id), 'no-such-instance');
    await refuses(driver.start(id), 'no-such-instance');
    await driver.signal(id, 'SIGTERM');
  },

  'a wait ends when it is told to, and by a removal': async (bench) => {
    const { id } = await bench.script(heedless);
    const abort = new AbortController();
    const waited = bench.driver.wait(id, abort.signal);
    setTimeout(() => abort.abort(new Error('enough')), 50);
    await assert.rejects(waited, /enough/);
    const gone = bench.driver.wait(id);
    // No sign tells that a wait is in place.
    await new Promise((resolve) => setTimeout(resolve, 200));
    await bench.driver.remove(id);
    assert.equal((await gone).code, 137);
  },

  'a program that is not there fails the start, with the reason': async (bench) => {
    const image = await bench.image();
    const { id } = await bench.driver.create(bench.spec(image, { command: ['/no/such/program'] }));
    const text = await refuses(bench.driver.start(id), 'start-failed');
    assert.match(text, /no such program|\/no\/such\/program/);
  },

  'one that was never started is stopped already': async (bench) => {
    const { id } = await bench.driver.create(bench.spec(await bench.image()));
    assert.deepEqual(await bench.driver.stop(id, 60_000), { code: 0, outOfMemory: false });
    await refuses(bench.driver.stop('0'.repeat(64), 0), 'no-such-instance');
  },

  'an instance of a name that is taken is refused': async (bench) => {
    const spec = bench.spec(await bench.image());
    await bench.driver.create(spec);
    await refuses(bench.driver.create(spec), 'invalid-spec');
  },

  'one that ran out of memory says so, and its neighbour goes on': async (bench) => {
    const neighbour = await bench.script(listenOn(8080));
    // Once it has started: some engines begin to watch its memory only then, and do not see what was before.
    const { id } = await bench.script(
      'trap "exec /bin/busybox tail /dev/zero" USR1; echo ready; while :; do sleep 0.05; done',
      { memory: 16 << 20 },
    );
    await until(async () => (await bench.output(id)).includes('ready'), 'it heeds the signal');
    const exit = bench.driver.wait(id);
    await bench.driver.signal(id, 'SIGUSR1');
    assert.deepEqual(await exit, { code: 137, outOfMemory: true });
    const probe = await bench.driver.probe(neighbour.id, 8080);
    assert.equal(probe.listening, 'everywhere');
  },

  'what is written is gone with the instance, also what lies in volumes of its image': async (
    bench,
  ) => {
    const image = await bench.image({ volumes: ['/kept'] });
    const { id } = await bench.run(image, {
      command: ['/bin/sh', '-c', 'echo 1 > /kept/file; echo 2 > /file'],
    });
    await bench.driver.wait(id);
    await bench.driver.remove(id);
    // That no volume is left is looked at after each case.
  },
};
