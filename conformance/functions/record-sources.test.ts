/** What is written down of instances, from real engines: lines through breaks of the engine, and CPU time. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from '../../src/ports/clock.ts';
import { dayOf } from '../../src/ports/function-records.ts';
import type { RuntimeDriver, RuntimeInstance } from '../../src/ports/runtime-driver.ts';
import { openDockerDriver } from '../../src/runtimes/docker/open-docker.ts';
import type { InstanceView } from '../../src/scheduler/instance.ts';
import {
  openTestRecords,
  requestId,
  target,
} from '../../src/scheduler/records/records-test-kit.ts';
import { makeSandbox, type Sandbox } from '../clients/support/sandbox.ts';
import { tar } from '../clients/support/tar.ts';
import { busyboxPath, needsBusybox } from './support/busybox.ts';
import {
  engineObstacle,
  type FunctionEngine,
  releases,
  startFunctionEngine,
} from './support/engine.ts';
import { imageOf, loadImage } from './support/images.ts';
import { until } from './support/until.ts';

const image = 'docker.io/library/records:test';
const web = target();

const viewOf = (instanceId: string): InstanceView => ({
  ...{ instanceId, target: web, reason: undefined, inFlight: 0, createdAt: 0 },
  ...{ state: 'idle', lastRequestAt: undefined },
});

function busybox() {
  const shell = tar([{ name: 'bin/sh', bytes: readFileSync(busyboxPath), mode: 0o755 }]);
  return imageOf([shell], { entrypoint: ['/bin/sh'] });
}

for (const release of releases) {
  const skip = engineObstacle(release) ?? needsBusybox();
  describe(`records on ${release.name}`, { ...(skip ? { skip } : {}) }, () => {
    let sandbox: Sandbox;
    let engine: FunctionEngine;
    let driver: RuntimeDriver;

    before(async () => {
      sandbox = makeSandbox();
      // Containers outlive a restart of the engine.
      engine = await startFunctionEngine(release, sandbox, { args: ['--live-restore'] });
      await loadImage(engine, sandbox, image, busybox());
      const opened = await openDockerDriver({
        ...{ dockerHost: engine.host, env: {}, installation: 'records' },
        pullAddress: () => '127.0.0.1:1',
      });
      assert.ok('driver' in opened);
      driver = opened.driver;
    });
    after(async () => {
      await driver?.close();
      await engine?.stop();
      sandbox?.remove();
    });

    async function run(script: string): Promise<RuntimeInstance> {
      const args = ['--network', 'none', '--entrypoint', '/bin/sh', image, '-c', script];
      const id = (await engine.docker(['run', '-d', ...args])).trim();
      const instance = { id, instanceId: `ins_${id.slice(0, 8)}`, state: 'running' };
      return instance as unknown as RuntimeInstance;
    }

    test('lines come once each and in order, though the engine is restarted and hangs meanwhile', async (t) => {
      const records = await openTestRecords(t, { driver: () => driver, clock: systemClock });
      const script =
        'i=1; while [ $i -le 400 ]; do echo out $i; echo err $i >&2; i=$((i+1)); usleep 10000; done; sleep 60';
      const runtime = await run(script);
      const { instanceId } = runtime;
      const view = viewOf(instanceId);
      records.records.observer.changed({ view, from: 'starting', runtime, at: Date.now() });
      await records.lines(100, { instanceId });
      await engine.hang();
      await delay(300);
      engine.resume();
      await engine.restart('SIGKILL');
      const lines = await until(
        async () => {
          const found = await records.lines(0, { instanceId });
          return found.some(({ text }) => text === 'out 400') ? found : undefined;
        },
        'the last line',
        { withinMs: 60_000 },
      );
      assert.ok(lines.length > 100);
      // What a killed engine itself had in its hands is gone: what it kept is here, all of it, once.
      await delay(500);
      const { stdout, stderr } = await engine.attempt(['logs', runtime.id]);
      const all = (await records.lines(0, { instanceId })).filter(
        (line) => line.stream !== 'system',
      );
      for (const [stream, kept] of [
        ['stdout', stdout],
        ['stderr', stderr],
      ] as const) {
        const found = all.filter((line) => line.stream === stream).map(({ text }) => text);
        assert.deepEqual(found, kept.trimEnd().split('\n'));
      }
      await engine.docker(['rm', '-f', runtime.id]);
    });

    test('a flood is cut off and told, and what comes after it is there', async (t) => {
      const records = await openTestRecords(t, { driver: () => driver, clock: systemClock });
      const runtime = await run(
        'i=0; while [ $i -lt 60000 ]; do echo flood $i; i=$((i+1)); done; sleep 4; echo quiet again; sleep 60',
      );
      const { instanceId } = runtime;
      const view = viewOf(instanceId);
      records.records.observer.changed({ view, from: 'starting', runtime, at: Date.now() });
      const lines = await until(
        async () => {
          const { functionRecords } = records.metadata;
          const found = await functionRecords.lines(
            { projectId: 'prj_1', instanceId },
            { after: '' },
            100_000,
          );
          return found.some(({ text }) => text === 'quiet again') ? found : undefined;
        },
        'the line after the flood',
        { withinMs: 30_000 },
      );
      assert.ok(lines.length < 10_000, `${lines.length}`);
      assert.ok(
        lines.some(({ text, stream }) => stream === 'system' && /more than 500/.test(text)),
      );
      await engine.docker(['rm', '-f', runtime.id]);
    });

    test('CPU time counts while a request is in flight, and not before or after it', async (t) => {
      const records = await openTestRecords(t, {
        ...{ driver: () => driver, clock: systemClock },
        times: {
          recorder: { flushMs: 1 },
          metering: { lookMs: 200, leastMs: 10, storageMs: 3_600_000 },
        },
      });
      // Busy all the time, whoever asks.
      const runtime = await run('while :; do :; done');
      const { instanceId } = runtime;
      const view = viewOf(instanceId);
      const { observer } = records.records;
      observer.changed({ view, from: 'starting', runtime, at: Date.now() });
      await delay(700);
      const at = Date.now();
      observer.started({ target: web, requestId: requestId(1), instanceId, at });
      await delay(1000);
      const before = await driver.stats(runtime.id);
      const totalMs = Date.now() - at;
      observer.ended({
        ...{ target: web, requestId: requestId(1), instanceId, at, method: 'GET', host: 'h' },
        ...{ path: '/', status: 200, error: undefined, start: undefined, queueMs: 0 },
        ...{ firstByteMs: 1, totalMs, requestBytes: 0, responseBytes: 0 },
      });
      await delay(700);
      await records.close();
      const usage = await records.usage(dayOf(at));
      const cpu = usage.reduce((sum, event) => sum + event.activeCpuMs, 0);
      const memory = usage.reduce((sum, event) => sum + event.memoryMbMs, 0);
      assert.equal(memory, totalMs * 512);
      // One core busy: as much as the time in flight at most, and of it what the machine gave the container.
      assert.ok(cpu <= totalMs, `${cpu} ms of CPU in ${totalMs} ms`);
      assert.ok(cpu >= totalMs * 0.2, `${cpu} ms of CPU in ${totalMs} ms`);
      assert.ok(before.cpuMicros / 1000 > cpu, 'what it used before is not in it');
      await engine.docker(['rm', '-f', runtime.id]);
    });
  });
}
