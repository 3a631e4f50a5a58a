/**
 * Functions on two replicas with one engine: one runs them, the other passes requests on; the one that runs them is
 * killed, and the other goes on with the same container.
 */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { request } from 'node:http';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { ask } from '../functions/support/ask.ts';
import { until } from '../functions/support/until.ts';
import { openWebSocket } from '../functions/support/websocket.ts';
import {
  answers,
  type FunctionsWorld,
  functionsObstacle,
  startFunctionsWorld,
} from './support/functions-world.ts';

const skip = functionsObstacle();

test('functions on two replicas', skip ? { skip } : {}, async (t) => {
  const running = await startFunctionsWorld();
  t.after(() => running.stop());
  const { world } = running;
  const owner = running.owner();
  const other = owner ^ 1;
  const everywhere = [world.origins[owner]!, world.origins[other]!, world.origin];
  // Pushed to the one that does not run it.
  const host = await running.deploy(other, 'handed');
  const path = `/run/${world.project}/`;
  const [container] = await running.running();

  await t.test('any replica answers requests of functions, by host and by path', async () => {
    for (const origin of everywhere) {
      for (const [at, asked] of [['/', { host }] as const, [path, {}] as const]) {
        const answer = await ask(origin, at, asked);
        assert.deepEqual([answer.status, answer.body], [200, 'hello from handed\n']);
        assert.match(String(answer.headers['x-gantry-id']), /^req_/);
      }
    }
    assert.deepEqual(await running.running(), [container]);
  });

  await t.test('WebSockets, events and large bodies pass through the other replica', async () => {
    const origin = world.origins[other]!;
    const socket = await openWebSocket(origin, host, '/ws');
    socket.send('through');
    assert.equal(String(await socket.receive()), 'through');
    await socket.close();
    const events = await ask(origin, '/sse?n=3', { host });
    assert.match(events.body, /event 0[\s\S]*event 2/);
    const body = randomBytes(24 * 2 ** 20);
    const uploaded = await ask(origin, '/upload', { host, method: 'POST', body });
    const sha256 = createHash('sha256').update(body).digest('hex');
    assert.deepEqual(JSON.parse(uploaded.body), { bytes: body.length, sha256 });
    const streamed = await ask(origin, '/stream?bytes=16000000', { host });
    assert.equal(streamed.bytes.length, 16_000_000);
  });

  await t.test('a client that goes away is gone for the function, too', async () => {
    const origin = new URL(world.origins[other]!);
    const req = request({
      ...{ host: origin.hostname, port: origin.port, path: '/slow?ms=60000', agent: false },
      headers: { host: `${host}:${origin.port}` },
    });
    req.on('error', () => {});
    req.end();
    const inFlight = async () => {
      const answer = await ask(world.origins[owner]!, '/state', { host });
      // One is this question.
      return (JSON.parse(answer.body) as { inFlight: number }).inFlight - 1;
    };
    await until(async () => (await inFlight()) === 1 || undefined, 'the function has the request');
    req.destroy();
    await until(async () => (await inFlight()) === 0 || undefined, 'the function has it no more');
  });

  await t.test('A45: a client cannot say whose request it is', async () => {
    const spoofed = Buffer.from('[0,"1.2.3.4","evil","https"]').toString('base64url');
    for (const at of [owner, other]) {
      const answer = await ask(world.origins[at]!, '/echo', {
        host,
        headers: { 'x-gantry-forwarded': `${spoofed}.${randomBytes(32).toString('base64url')}` },
      });
      const { headers } = JSON.parse(answer.body) as { headers: Record<string, string[]> };
      assert.deepEqual(headers['X-Forwarded-For'], ['127.0.0.1']);
      assert.equal(headers['X-Gantry-Forwarded'], undefined);
    }
  });

  await t.test(
    'the API knows of instances at any replica, and lets nobody in unasked',
    async () => {
      for (const at of [owner, other]) {
        const instances = await running.api<{ items: { state: string }[] }>(
          ...([at, 'GET', `${running.project}/instances`] as const),
        );
        assert.equal(instances.status, 200);
        // Another one may have been created ahead.
        const up = instances.body.items.filter(({ state }) => state !== 'pending');
        assert.equal(up.length, 1, JSON.stringify(instances.body));
        const status = await running.api<{ enabled: boolean }>(at, 'GET', '/functions');
        assert.deepEqual([status.status, status.body.enabled], [200, true]);
        const stranger = await fetch(`${world.origins[at]}/api/v1${running.project}/instances`);
        assert.equal(stranger.status, 401);
      }
      const invoked = await running.api<{ status: number; body: string }>(
        ...([other, 'POST', `${running.project}/services/handed/invoke`, { path: '/' }] as const),
      );
      assert.equal(invoked.status, 200, JSON.stringify(invoked.body));
    },
  );

  await t.test('a replica that does not run functions is killed: functions go on', async () => {
    const load = new FunctionLoad([world.origins[owner]!], host);
    await load.more(5);
    await world.replica(other).end('SIGKILL');
    await load.more(20);
    const { failed } = await load.stop();
    assert.deepEqual(failed, []);
    await world.start(other);
    await answers(world.origins[other]!, '/', { host }, 20_000);
    assert.deepEqual([running.owner(), await running.running()], [owner, [container]]);
  });

  await t.test('the one that runs functions is killed: the other goes on with them', async () => {
    const load = new FunctionLoad([world.origins[other]!, world.origin], host);
    await load.more(5);
    const before = await started(running, owner, host);
    await world.replica(owner).end('SIGKILL');
    const killed = performance.now();
    await answers(world.origins[other]!, '/', { host, timeoutMs: 30_000 }, 30_000);
    t.diagnostic(`answered ${Math.round(performance.now() - killed)} ms after the kill`);
    await load.more(20);
    const { failed, broken } = await load.stop();
    // Those that were under way may break; those that came later wait for the next replica.
    assert.ok(broken + failed.length <= 4, `${broken} broke off, ${failed.join()}`);
    assert.deepEqual(await running.running(), [container]);
    assert.equal(await started(running, other, host), before);
    assert.equal(running.owner(), other);
    // Back again, it passes requests on.
    await world.start(owner);
    await answers(world.origins[owner]!, '/', { host }, 20_000);
    assert.deepEqual([running.owner(), await running.running()], [other, [container]]);
  });
});

/** When the server in the container began: another one began at another time. */
async function started({ world }: FunctionsWorld, at: number, host: string): Promise<number> {
  const answer = await ask(world.origins[at]!, '/state', { host });
  return (JSON.parse(answer.body) as { started: number }).started;
}

/** One request after the other to each origin, for as long as it is let. */
class FunctionLoad {
  #stopped = false;
  #answered = 0;
  #broken = 0;
  readonly #failed: string[] = [];
  readonly #work: Promise<void>[];

  constructor(origins: readonly string[], host: string) {
    this.#work = origins.map(async (origin) => {
      while (!this.#stopped) {
        try {
          const { status, body } = await ask(origin, '/', { host });
          if (status === 200) this.#answered++;
          else this.#failed.push(`${status} ${body.trim()}`);
        } catch {
          this.#broken++;
        }
        await delay(20);
      }
    });
  }

  async more(count: number): Promise<void> {
    const goal = this.#answered + count;
    await until(
      () => Promise.resolve(this.#answered >= goal || undefined),
      'requests are answered',
    );
  }

  async stop(): Promise<{ failed: readonly string[]; broken: number }> {
    this.#stopped = true;
    await Promise.all(this.#work);
    return { failed: this.#failed, broken: this.#broken };
  }
}
