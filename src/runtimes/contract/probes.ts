import assert from 'node:assert/strict';
import { type Cases, listenOn, refuses, until } from './bench.ts';

export const probes: Cases = {
  'a port on all addresses is reached': async (bench) => {
    const { id } = await bench.script(`${listenOn(8080)}`);
    const probed = await until(async () => {
      const probe = await bench.driver.probe(id, 8080);
      return probe.listening === 'everywhere' && probe;
    }, 'the port listens');
    assert.deepEqual(probed, { listening: 'everywhere' });
  },

  'a port on 127.0.0.1 or ::1 alone is told from none, with the text of the refusal': async (
    bench,
  ) => {
    const { id, address } = await bench.script(
      `${listenOn(8080, '127.0.0.1')} & ${listenOn(8081, '127.0.0.5')} & ` +
        `${listenOn(8082, '[::1]')} & wait`,
    );
    for (const port of [8080, 8081]) {
      const probe = await until(async () => {
        const probe = await bench.driver.probe(id, port);
        return probe.listening === 'loopback-only' && probe;
      }, `port ${port} is seen`);
      assert.deepEqual(probe, { listening: 'loopback-only', dial: refusal(address, port) });
    }
    // Nothing there could be asked from outside at another port either.
    assert.deepEqual(await bench.driver.probe(id, 9999), {
      listening: 'nowhere',
      dial: refusal(address, 9999),
    });
  },

  'where something listens in place of the port': async (bench) => {
    const { id, address } = await bench.script(
      `${listenOn(8080)} & ${listenOn(3000)} & ${listenOn(8082, '127.0.0.1')} & wait`,
    );
    const probe = await until(async () => {
      const probe = await bench.driver.probe(id, 9999);
      return probe.listening === 'nowhere' && probe.others?.length === 2 && probe;
    }, 'both ports are seen');
    const others = [3000, 8080];
    assert.deepEqual(probe, { listening: 'nowhere', dial: refusal(address, 9999), others });
  },

  'what does not run is not probed': async (bench) => {
    const created = await bench.driver.create(bench.spec(await bench.image()));
    await refuses(bench.driver.probe(created.id, 80), 'no-such-instance');
    const { id } = await bench.script('exit 0');
    await bench.driver.wait(id);
    await refuses(bench.driver.probe(id, 80), 'no-such-instance');
  },
};

function refusal(address: string | undefined, port: number): string {
  return `dial tcp ${address}:${port}: getsockopt: connection refused`;
}
