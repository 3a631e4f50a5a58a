import assert from 'node:assert/strict';
import type { RuntimeError } from '../../ports/runtime-driver.ts';
import { type Cases, listenOn, refuses, until } from './bench.ts';

export const faults: Cases = {
  'a place that hangs makes every call fail in time, and goes on afterwards': async (bench) => {
    const spec = bench.spec(await bench.image(), { command: ['/bin/sh', '-c', listenOn(8080)] });
    const driver = await bench.reopen({ callLimit: 400 });
    const { id } = await driver.create(spec);
    await driver.start(id);
    const source = await bench.subject.push({}, 'hung');
    await bench.subject.hang();
    const from = performance.now();
    try {
      const calls: Record<string, () => Promise<unknown>> = {
        capabilities: () => driver.capabilities(),
        prepare: () => driver.prepare(source, {}),
        images: () => driver.images(),
        create: () => driver.create(spec),
        start: () => driver.start(id),
        stop: () => driver.stop(id, 0),
        remove: () => driver.remove(id),
        list: () => driver.list(),
        wait: () => driver.wait(id),
        exec: () => driver.exec(id, { command: ['/bin/busybox', 'id'] }),
        readFiles: () => driver.readFiles(id, '/tmp'),
        writableBytes: () => driver.writableBytes(id),
        removeImage: () => driver.removeImage(spec.image),
        signal: () => driver.signal(id, 'SIGTERM'),
      };
      await Promise.all(
        Object.entries(calls).map(async ([name, call]) => {
          const text = await refuses(call(), 'unavailable');
          assert.match(text, /did not answer/, name);
        }),
      );
      // These may not need it: they are done, or refused in time.
      for (const call of [() => driver.freeze(id), () => driver.thaw(id)]) {
        await call().catch((error: RuntimeError) => assert.equal(error.failure, 'unavailable'));
      }
      const took = performance.now() - from;
      assert.ok(took < 5_000, `${took} ms`);
      const probe = await driver.probe(id, 8080);
      assert.equal(probe.listening, 'everywhere', 'instances go on without it');
    } finally {
      await bench.subject.resume();
    }
    // What was asked may still be done now: the list tells what has become of it.
    await until(async () => driver.list().catch(() => undefined), 'it answers again');
  },

  'after a restart the same driver goes on; events and waits end': async (bench) => {
    const { driver } = bench;
    const image = await bench.image();
    let told = 0;
    const events = (async () => {
      for await (const _ of driver.events(new AbortController().signal)) told += 1;
    })();
    const started = await until(async () => {
      const one = await bench.run(image, { command: ['/bin/sh', '-c', listenOn(8080)] });
      if (told > 0) return one;
      await driver.remove(one.id);
      return undefined;
    }, 'events come');
    const { id } = started;
    const waited = driver.wait(id).then(
      (exit) => exit.code >= 0,
      (error) => (error as { failure?: string }).failure === 'unavailable',
    );
    await bench.subject.restart();
    await events;
    assert.equal(await waited, true, 'it is told, or that it cannot be told');
    const [found] = await driver.list();
    assert.equal(found?.id, id);
    await driver.remove(id);
    const again = await bench.run(image, { command: ['/bin/sh', '-c', listenOn(8080)] });
    await until(
      async () => (await driver.probe(again.id, 8080)).listening === 'everywhere',
      'another one answers',
    );
  },
};
