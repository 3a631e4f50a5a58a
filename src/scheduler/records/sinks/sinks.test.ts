import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createOutboundGuard } from '../../../auth/outbound-guard.ts';
import type { FunctionLogLine } from '../../../ports/commands-functions.ts';
import type { ServiceSettings } from '../../../ports/functions.ts';
import { begin, target } from '../records-test-kit.ts';
import { isFileSinkName } from './file-sink.ts';
import { checkLogSink, LogSinks } from './log-sinks.ts';

type T = { after(fn: () => unknown): void };

const line = (n: number, more: Partial<FunctionLogLine> = {}): FunctionLogLine => ({
  ...{ id: `log_${n}`, projectId: 'prj_1', deploymentId: 'dpl_1', service: 'web' },
  ...{ instanceId: 'ins_1', at: begin + n, stream: 'stdout', text: `line ${n}`, requestIds: [] },
  ...more,
});
const sendingTo = (logSink: NonNullable<ServiceSettings['logSink']>) => target({ logSink });

async function openSinks(t: T, more: { rotateBytes?: number; allow?: string[] } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'gantry-sinks-'));
  const outbound = createOutboundGuard({ allow: more.allow ?? ['loopback'] });
  const dropped: [string, number][] = [];
  const warned: object[] = [];
  const sinks = new LogSinks({
    ...{ folder, outbound, clock: { now: () => begin } },
    log: { warn: (message, fields) => void warned.push({ message, ...fields }) },
    dropped: (type, count) => void dropped.push([type, count]),
    times: { gatherMs: 5, retryMs: 5, timeoutMs: 2000, closeMs: 2000 },
    ...more,
  });
  t.after(async () => {
    await sinks.close();
    await outbound.close();
    await rm(folder, { recursive: true });
  });
  return { sinks, folder, dropped, warned };
}

/** Takes what is posted; answers with the statuses in turn, the last one for ever. */
async function receive(t: T, statuses: number[] = [200]) {
  const bodies: { headers: IncomingMessage['headers']; body: string }[] = [];
  const server = createServer(async (req, res) => {
    let body = '';
    for await (const chunk of req.setEncoding('utf8')) body += chunk;
    bodies.push({ headers: req.headers, body });
    res.writeHead(statuses.length > 1 ? statuses.shift()! : statuses[0]!).end();
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/in`, bodies };
}

test('a file: JSON Lines, mode 0600, rotated, and so many files at most', async (t) => {
  const { sinks, folder } = await openSinks(t, { rotateBytes: 2000 });
  const to = sendingTo({ type: 'file', name: 'web.log' });
  for (let round = 0; round < 30; round++) {
    for (let n = 0; n < 4; n++) sinks.send(to, line(round * 4 + n, { requestIds: ['req_1'] }));
    // Lines that come together are written together: each round is to be a write of its own.
    const last = `line ${round * 4 + 3}"`;
    const written = () => readFile(join(folder, 'prj_1', 'web.log'), 'utf8').catch(() => '');
    while (!(await written()).includes(last)) await new Promise((done) => setTimeout(done, 1));
  }
  await sinks.close();
  const names = (await readdir(join(folder, 'prj_1'))).sort();
  assert.deepEqual(names, ['web.log', 'web.log.1', 'web.log.2', 'web.log.3', 'web.log.4']);
  const parts = await Promise.all(
    names.reverse().map((name) => readFile(join(folder, 'prj_1', name), 'utf8')),
  );
  const found = parts
    .join('')
    .trimEnd()
    .split('\n')
    .map((text) => JSON.parse(text) as { text: string });
  assert.equal(found.at(-1)?.text, 'line 119');
  const numbers = found.map(({ text }) => Number(text.slice(5)));
  assert.deepEqual(
    numbers,
    Array.from(numbers, (_, n) => 120 - numbers.length + n),
  );
  const { project, service, requests } = found[0] as unknown as Record<string, unknown>;
  assert.deepEqual([project, service, requests], ['shop', 'web', ['req_1']]);
  const { mode } = await stat(join(folder, 'prj_1', 'web.log'));
  assert.equal(mode & 0o777, 0o600);
});

test('names of files lead nowhere else', async (t) => {
  const bad = [
    '',
    '.',
    '..',
    '../x',
    'a/b',
    '/etc/x',
    '.hidden',
    'web.log.1',
    'a\\b',
    'a\0',
    'x'.repeat(90),
  ];
  for (const name of bad) {
    assert.equal(isFileSinkName(name), false, name);
    assert.throws(
      () => checkLogSink({ type: 'file', name }, { check: () => {} }),
      /log file's name/,
    );
  }
  for (const name of ['web', 'web.log', 'a-b_c.jsonl']) assert.ok(isFileSinkName(name), name);
  const { sinks, folder, dropped } = await openSinks(t);
  // Even where it came into the database by another way.
  sinks.send(sendingTo({ type: 'file', name: '../../escaped.log' }), line(1));
  await sinks.close();
  assert.deepEqual(dropped, [['file', 1]]);
  assert.deepEqual(await readdir(folder), []);
});

test('a project has so many log files, and no more', async (t) => {
  const { sinks, folder, dropped } = await openSinks(t);
  for (let n = 0; n < 20; n++) sinks.send(sendingTo({ type: 'file', name: `f${n}.log` }), line(n));
  await sinks.close();
  assert.equal((await readdir(join(folder, 'prj_1'))).length, 16);
  assert.equal(dropped.length, 4);
  const later = await openSinks(t);
  for (let n = 0; n < 20; n++) {
    later.sinks.send(sendingTo({ type: 'file', name: `f${n}.log` }), line(n));
    await new Promise((done) => setTimeout(done, 5));
  }
  await later.sinks.close();
  assert.equal((await readdir(join(later.folder, 'prj_1'))).length, 16);
  assert.equal(later.dropped.length, 4);
});

test('HTTP: JSON Lines in batches; what is down for a while loses nothing', async (t) => {
  const { sinks, dropped } = await openSinks(t);
  const { url, bodies } = await receive(t, [503, 429, 200]);
  const to = sendingTo({ type: 'http', url });
  for (let n = 0; n < 700; n++) sinks.send(to, line(n));
  await sinks.close();
  const taken = bodies.slice(2);
  const texts = taken.flatMap(({ body }) =>
    body
      .trimEnd()
      .split('\n')
      .map((text) => (JSON.parse(text) as { text: string }).text),
  );
  assert.deepEqual(
    texts,
    Array.from({ length: 700 }, (_, n) => `line ${n}`),
  );
  assert.equal(taken[0]?.headers['content-type'], 'application/x-ndjson');
  assert.ok(bodies.length < 10);
  assert.deepEqual(dropped, []);
});

test('HTTP: what a receiver refuses is dropped and told, without the URL, which may hold a key', async (t) => {
  const { sinks, dropped, warned } = await openSinks(t);
  const { url, bodies } = await receive(t, [400]);
  sinks.send(sendingTo({ type: 'http', url: `${url}?key=canary` }), line(1));
  await sinks.close();
  assert.equal(bodies.length, 1);
  assert.deepEqual(dropped, [['http', 1]]);
  assert.equal(warned.length, 1);
  assert.ok(!JSON.stringify(warned).includes('canary'));
});

test('A25: a sink at an inner address is refused where it is set, and gets nothing', async (t) => {
  const { sinks, dropped } = await openSinks(t, { allow: [] });
  const { url, bodies } = await receive(t);
  const guard = createOutboundGuard({ allow: [] });
  t.after(() => guard.close());
  for (const type of ['http', 'otlp'] as const) {
    assert.throws(() => checkLogSink({ type, url }, guard), /not on the public internet/);
    assert.throws(() => checkLogSink({ type, url: 'http://169.254.169.254/' }, guard));
    sinks.send(sendingTo({ type, url }), line(1));
  }
  await sinks.close();
  assert.deepEqual(bodies, []);
  assert.equal(dropped.length, 2);
});

test('a receiver that hangs holds so many lines, and no more', async (t) => {
  const { sinks, dropped } = await openSinks(t);
  const server = createServer(() => {});
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const to = sendingTo({ type: 'http', url });
  for (let n = 0; n < 12_000; n++) sinks.send(to, line(n));
  assert.equal(dropped.length, 2000);
});

test('OTLP: ExportLogsServiceRequest as JSON', async (t) => {
  const { sinks } = await openSinks(t);
  const { url, bodies } = await receive(t);
  const to = sendingTo({ type: 'otlp', url });
  sinks.send(to, line(1, { stream: 'stderr', requestIds: ['req_1'] }));
  sinks.send(to, line(2));
  await sinks.close();
  assert.equal(bodies[0]?.headers['content-type'], 'application/json');
  const { resourceLogs } = JSON.parse(bodies[0]!.body) as {
    resourceLogs: {
      resource: { attributes: { key: string; value: { stringValue: string } }[] };
      scopeLogs: { logRecords: Record<string, unknown>[] }[];
    }[];
  };
  assert.equal(resourceLogs.length, 1);
  const attributes = Object.fromEntries(
    resourceLogs[0]!.resource.attributes.map(({ key, value }) => [key, value.stringValue]),
  );
  assert.equal(attributes['service.name'], 'web');
  assert.equal(attributes['service.namespace'], 'acme/shop');
  const [first, second] = resourceLogs[0]!.scopeLogs[0]!.logRecords;
  assert.equal(first?.timeUnixNano, `${begin + 1}000000`);
  assert.deepEqual([first?.severityText, second?.severityText], ['ERROR', 'INFO']);
  assert.deepEqual(first?.body, { stringValue: 'line 1' });
});
