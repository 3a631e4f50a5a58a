import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { extract, pack } from 'tar-stream';
import { type Bench, busybox, type Cases, collect, refuses, until } from './bench.ts';

const idle = 'while :; do /bin/busybox sleep 0.1; done';

export const commands: Cases = {
  'a command runs with its input, environment, user and folder; streams stay apart': async (
    bench,
  ) => {
    const { id } = await bench.script(idle);
    const script = 'echo $(/bin/busybox id -u) $PWD $X; echo other >&2; /bin/busybox cat; exit 7';
    const exec = await bench.driver.exec(id, {
      command: ['/bin/sh', '-c', script],
      env: { X: 'y z' },
      user: '1000',
      workingDir: '/tmp',
      stdin: Readable.from(['given ', 'to it\n']),
    });
    const parts: Record<'stdout' | 'stderr', Buffer[]> = { stdout: [], stderr: [] };
    for await (const { stream, bytes } of exec.output) parts[stream].push(bytes);
    assert.equal(Buffer.concat(parts.stdout).toString(), '1000 /tmp y z\ngiven to it\n');
    assert.equal(Buffer.concat(parts.stderr).toString(), 'other\n');
    assert.equal(await exec.exit, 7);
    await bench.driver.remove(id);
  },

  'much output comes whole, and the code also where nobody reads': async (bench) => {
    const { id } = await bench.script(idle);
    const size = 3_000_000;
    const much = await bench.driver.exec(id, {
      command: busybox('head', '-c', `${size}`, '/dev/zero'),
    });
    assert.equal((await collect(much.output)).length, size);
    assert.equal(await much.exit, 0);
    const unread = await bench.driver.exec(id, { command: ['/bin/sh', '-c', 'echo x; exit 4'] });
    assert.equal(await unread.exit, 4);
    await bench.driver.remove(id);
  },

  'a program that is not there ends with 126 or 127, and says why': async (bench) => {
    const { id } = await bench.script(idle);
    const exec = await bench.driver.exec(id, { command: ['/no/such/program'] });
    assert.match(await collect(exec.output), /no such file/);
    assert.match(String(await exec.exit), /^12[67]$/);
    await bench.driver.remove(id);
  },

  'a command is ended, with what it started; by its signal, too': async (bench) => {
    const { id } = await bench.script(idle);
    const script = '/bin/busybox sleep 1000 & /bin/busybox sleep 1001';
    const command = ['/bin/sh', '-c', `echo begun; ${script}`];
    const exec = await bench.driver.exec(id, { command });
    const output = exec.output[Symbol.asyncIterator]();
    assert.equal((await output.next()).value?.bytes.toString(), 'begun\n');
    await until(async () => {
      const lines = await processes(bench, id);
      return ['sleep 1000', 'sleep 1001'].every((it) => lines.some((line) => line.includes(it)));
    }, 'its children run');
    await exec.kill();
    assert.equal(await exec.exit, 137);
    assert.equal((await output.next()).done, true);
    await until(
      async () => !(await processes(bench, id)).some((line) => /sleep 100[01]/.test(line)),
      'all of it is gone',
    );
    await exec.kill();
    const abort = new AbortController();
    const aborted = await bench.driver.exec(id, {
      command: busybox('sleep', '1000'),
      signal: abort.signal,
    });
    abort.abort();
    assert.equal(await aborted.exit, 137);
    await bench.driver.remove(id);
  },

  'no command runs in what is frozen, or does not run': async (bench) => {
    const { id } = await bench.script(idle);
    await bench.driver.freeze(id);
    await refuses(bench.driver.exec(id, { command: busybox('id') }), 'start-failed');
    await bench.driver.remove(id);
    await refuses(bench.driver.exec(id, { command: busybox('id') }), 'no-such-instance');
    const created = await bench.driver.create(bench.spec(await bench.image()));
    await refuses(bench.driver.exec(created.id, { command: busybox('id') }), 'no-such-instance');
  },

  'files go in and come out as tar archives': async (bench) => {
    const { driver } = bench;
    const { id } = await bench.script(idle);
    await driver.writeFiles(
      id,
      '/tmp',
      tarOf({ 'deep/file': 'hello', big: 'x'.repeat(3_000_000) }),
    );
    assert.equal(await bench.inside(id, ...busybox('cat', '/tmp/deep/file')), 'hello');
    assert.deepEqual(await untar(await driver.readFiles(id, '/tmp/deep')), {
      'deep/file': 'hello',
    });
    const big = await untar(await driver.readFiles(id, '/tmp/big'));
    assert.equal(big.big?.length, 3_000_000);
    await refuses(driver.readFiles(id, '/no/such'), 'no-such-path');
    await refuses(driver.writeFiles(id, '/no/such', tarOf({ a: 'b' })), 'no-such-path');
    await refuses(driver.readFiles(id, 'tmp'), 'invalid-spec');
    const broken = Readable.from(
      (async function* () {
        yield Buffer.alloc(512);
        throw new Error('the sender went away');
      })(),
    );
    await assert.rejects(driver.writeFiles(id, '/tmp', broken), /the sender went away/);
    await driver.remove(id);
    await refuses(driver.readFiles(id, '/tmp'), 'no-such-instance');
    await refuses(driver.writeFiles(id, '/tmp', tarOf({ a: 'b' })), 'no-such-instance');
  },

  "links and names that lead out reach no file of the machine's": async (bench) => {
    const { driver, subject } = bench;
    const canary = join(subject.folder, `canary-${process.pid}`);
    writeFileSync(canary, 'of the machine');
    const { id } = await bench.script(idle);
    await bench.inside(id, ...busybox('ln', '-s', canary, '/tmp/link'));
    await bench.inside(id, ...busybox('ln', '-s', subject.folder, '/tmp/folder'));
    await bench.inside(id, ...busybox('ln', '-s', `/proc/1/root${canary}`, '/tmp/proc'));
    const up = '../'.repeat(30);
    const paths = ['/tmp/link', '/tmp/proc', `/tmp/folder/${canary.split('/').pop()}`];
    for (const path of [...paths, `/tmp/${up}${canary.slice(1)}`]) {
      const read = await driver.readFiles(id, path).then(
        async (tar) => JSON.stringify(await untar(tar)),
        (error: Error) => error.message,
      );
      assert.doesNotMatch(read, /of the machine/, path);
    }
    const out = join(subject.folder, 'out');
    for (const path of ['/tmp/folder', `/tmp/${up}${subject.folder.slice(1)}`]) {
      await driver.writeFiles(id, path, tarOf({ out: 'x' })).catch(() => {});
    }
    for (const name of [`${up}${out.slice(1)}`, out]) {
      await driver.writeFiles(id, '/tmp', tarOf({ [name]: 'x' })).catch(() => {});
    }
    assert.equal(existsSync(out), false);
    await driver.remove(id);
  },
};

async function processes(bench: Bench, id: string): Promise<string[]> {
  return (await bench.inside(id, ...busybox('ps', '-o', 'args'))).trim().split('\n');
}

function tarOf(files: Readonly<Record<string, string>>): Readable {
  const tar = pack();
  for (const [name, text] of Object.entries(files)) tar.entry({ name }, text);
  tar.finalize();
  return Readable.from(tar);
}

/** Files alone. */
async function untar(tar: Readable): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  const reader = extract();
  tar.pipe(reader);
  for await (const entry of reader) {
    const parts: Buffer[] = [];
    for await (const part of entry) parts.push(part as Buffer);
    if (entry.header.type === 'file') found[entry.header.name] = Buffer.concat(parts).toString();
  }
  return found;
}
