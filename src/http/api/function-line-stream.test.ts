import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LineSignal } from '../../scheduler/records/line-signal.ts';
import { Recorder } from '../../scheduler/records/recorder.ts';
import { type ApiKit, openApi } from './api-test-kit.ts';
import { openStream } from './event-stream-test-kit.ts';

const route = '/teams/acme/projects/shop/functions/logs/stream';
const place = { projectId: 'prj_1', deploymentId: 'dpl_1', service: 'web' };

/** The API over a recorder that writes at once. */
async function openTail(t: { after(fn: () => unknown): void }) {
  const signal = new LineSignal();
  const kit: ApiKit = await openApi(t, () => ({
    records: { nextLines: (projectId) => signal.next(projectId), figures: () => [] },
  }));
  const { metadata, clock } = kit.app.world;
  const recorder = new Recorder(
    {
      ...{ writer: metadata.writer, clock, log: kit.app.services.logger, dropped: () => {} },
      retention: { logs: 1e9, most: 1e6, usage: 1e9 },
    },
    { flushMs: 1 },
  );
  recorder.onLines((projects) => signal.wrote(projects));
  t.after(() => recorder.close());
  const write = (text: string, more: object = {}) =>
    recorder.line({
      ...{ ...place, instanceId: 'ins_1', at: clock.now(), stream: 'stdout', text },
      ...{ requestIds: [], ...more },
    })!;
  const secret = await kit.token();
  const follow = (query = '', headers: Record<string, string> = {}, as = secret) =>
    openStream(t, kit.app.port, as, query, headers, route);
  const textOf = (message: { data: string }) => (JSON.parse(message.data) as { text: string }).text;
  return { kit, recorder, write, follow, textOf };
}

test('the live tail: what is written from now on, filtered, each once and in order', async (t) => {
  const { kit, write, follow, textOf, recorder } = await openTail(t);
  write('before');
  await recorder.flush();
  kit.app.world.pass(1);
  const all = await follow();
  const some = await follow('?service=api&request=req_0123');
  assert.equal(all.headers['content-type'], 'text/event-stream; charset=utf-8');
  for (let n = 0; n < 450; n++) write(`line ${n}`);
  write('mine', { service: 'api', requestIds: ['req_1', 'req_0123'] });
  write('of another', { service: 'api', requestIds: ['req_1'] });
  write('elsewhere', { projectId: 'prj_2' });
  write('end', { service: 'api', requestIds: ['req_0123'] });
  for (let n = 0; n < 450; n++) assert.equal(textOf(await all.next()), `line ${n}`);
  assert.deepEqual(
    [textOf(await all.next()), textOf(await all.next()), textOf(await all.next())],
    ['mine', 'of another', 'end'],
  );
  assert.deepEqual([textOf(await some.next()), textOf(await some.next())], ['mine', 'end']);
  assert.deepEqual([all.pending, some.pending], [0, 0]);
});

test('the live tail goes on behind the last id, and begins with the last lines where asked', async (t) => {
  const { write, follow, textOf, recorder } = await openTail(t);
  for (let n = 0; n < 5; n++) write(`${n}`);
  await recorder.flush();
  const first = await follow('?tail=2');
  const message = await first.next();
  assert.deepEqual([textOf(message), textOf(await first.next())], ['3', '4']);
  first.close();
  write('5');
  write('6');
  const again = await follow('', { 'Last-Event-ID': message.id! });
  assert.deepEqual(
    [textOf(await again.next()), textOf(await again.next()), textOf(await again.next())],
    ['4', '5', '6'],
  );
});

test('the live tail ends with the credentials, and is for who runs functions', async (t) => {
  const { kit, follow } = await openTail(t);
  const { id, secret } = await kit.app.token('write');
  const stream = await follow('', {}, secret);
  const { writer } = kit.app.world.metadata;
  await writer.run('RevokeToken', { id, now: kit.app.world.clock.now() });
  await stream.ended;
  const puller = await kit.robot(['pull']);
  assert.equal((await kit.call('GET', route, { as: puller })).status, 403);
});
