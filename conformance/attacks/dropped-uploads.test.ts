import assert from 'node:assert/strict';
import { readdir, readFile, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { mostIdle } from '../../src/registry/open-uploads.ts';
import { expectStatus } from '../spec/check.ts';
import { content, uniqueBytes } from '../spec/content.ts';
import { useServer } from '../spec/fixture.ts';
import { beginUpload, octets, pushBlob } from '../spec/push.ts';
import { asStarted } from '../tools/start-env.ts';
import { requestLines, Wire } from './wire.ts';

const fixture = useServer({
  env: {
    // Short, so that the sweep of what is abandoned can be waited for.
    GANTRY_UPLOAD_EXPIRY: '2s',
    GANTRY_LOG_LEVEL: 'error',
    // Little room makes the garbage collector keep up: what grows is then held by something.
    ...asStarted,
    NODE_OPTIONS: '--max-old-space-size=96',
  },
});
const quick = process.env.GANTRY_TEST_QUICK === '1';
const total = quick ? 500 : 10_000;
const atOnce = 20;

interface Held {
  /** All but those of uploads. */
  readonly descriptors: number;
  /** Files of uploads that are open: between two requests as well, up to a bound. */
  readonly uploads: number;
  /** Resident bytes. */
  readonly memory: number;
  /** Files below the data folder, the database's own aside. */
  readonly files: number;
  /** Bytes of those files. */
  readonly bytes: number;
}

async function measure(): Promise<Held> {
  const { pid, dataFolder } = fixture.server;
  const open = await openFiles(pid);
  const uploads = open.filter((path) => path.startsWith(join(dataFolder, 'blobs'))).length;
  const descriptors = open.length - uploads;
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const memory = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)![1]) * 1024;
  let files = 0;
  let bytes = 0;
  for (const entry of await readdir(dataFolder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || /\.(?:db|sqlite3?)(?:-wal|-shm)?$/.test(entry.name)) continue;
    const found = await stat(join(entry.parentPath, entry.name)).catch(() => undefined);
    files += found ? 1 : 0;
    bytes += found?.size ?? 0;
  }
  return { descriptors, uploads, memory, files, bytes };
}

/** What each descriptor of a process leads to. */
async function openFiles(pid: number): Promise<string[]> {
  const folder = `/proc/${pid}/fd`;
  const paths = (await readdir(folder)).map((name) => readlink(join(folder, name)));
  // Some are closed meanwhile.
  const found = await Promise.allSettled(paths);
  return found.flatMap((one) => (one.status === 'fulfilled' ? one.value : []));
}

/** Begins an upload, sends a part of what it promised, and cuts the connection. */
async function drop(repository: string, at: number): Promise<void> {
  const { origin } = fixture.server;
  const location = await beginUpload(fixture.registry, repository);
  if (at % 4 === 0) return;
  const { pathname, search } = new URL(location);
  const headers = {
    Authorization: fixture.registry.authorization!,
    ...octets,
    'Content-Length': '1000000',
  };
  const wire = await Wire.open(origin);
  await wire.send(requestLines(origin, 'PATCH', pathname + search, headers), uniqueBytes(2_000));
  if (at % 4 === 1) wire.reset();
  else wire.close();
}

async function dropMany(repository: string, count: number): Promise<void> {
  let next = 0;
  const work = async () => {
    while (next < count) await drop(repository, next++);
  };
  await Promise.all(Array.from({ length: atOnce }, work));
}

/** The first look at which it is as `wanted`, or the last one before the time is over. */
async function settled(wanted: (held: Held) => boolean, within: number): Promise<Held> {
  const deadline = Date.now() + within;
  for (;;) {
    const held = await measure();
    if (wanted(held) || Date.now() > deadline) return held;
    await delay(100);
  }
}

/** What is held once the server has seen the end of all connections. */
async function atRest(): Promise<Held> {
  const deadline = Date.now() + 15_000;
  for (let last = await measure(); ; ) {
    await delay(1_000);
    const held = await measure();
    const same = held.descriptors === last.descriptors && held.uploads === last.uploads;
    if (same || Date.now() > deadline) return held;
    last = held;
  }
}

test(`A31: after ${total} dropped uploads, descriptors, memory and disk are as before`, async (t) => {
  if (process.platform !== 'linux') return t.skip('/proc is read, which Linux alone has');
  const repository = fixture.repository();
  const empty = await measure();
  // What is made once (buffers, compiled code, caches) is no growth: it is there before the first look.
  await dropMany(repository, Math.min(1_000, total));
  const before = await atRest();
  await dropMany(repository, total);
  // The last connections are still being taken down.
  const flat = (held: Held) =>
    held.descriptors <= before.descriptors + 5 && held.uploads <= mostIdle;
  const after = await settled(flat, 10_000);
  t.diagnostic(`empty ${JSON.stringify(empty)}`);
  t.diagnostic(`before ${JSON.stringify(before)}`);
  t.diagnostic(`after ${JSON.stringify(after)}`);
  assert.ok(flat(after), `${after.descriptors} descriptors, ${after.uploads} of uploads`);
  assert.ok(after.memory <= before.memory + 60 * 2 ** 20, `${after.memory} bytes resident`);
  const blob = content(uniqueBytes());
  expectStatus(await pushBlob(fixture.registry, repository, blob), 201);
  if (quick) return;
  // A sweep takes away what was abandoned; quick mode has no time to wait for it.
  const swept = await settled((held) => held.files <= empty.files + 1, 100_000);
  t.diagnostic(`swept ${JSON.stringify(swept)}`);
  assert.ok(swept.files <= empty.files + 1, `${swept.files} files, ${empty.files} at the start`);
  assert.ok(swept.bytes <= empty.bytes + blob.bytes.length, `${swept.bytes} bytes of files`);
  const { descriptors, uploads } = swept;
  assert.ok(descriptors + uploads <= empty.descriptors + 20, `${descriptors} and ${uploads}`);
});
