import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { getPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { CompressStream } from 'zstd-napi';
import { MeasureChild, type MeasureResult } from './measure-child.ts';

const MB = 1e6;
const noProc = existsSync('/proc/self/status') ? false : 'needs /proc';
const emptyTar = Buffer.alloc(1024);

async function* repeat(part: Buffer, times: number): AsyncGenerator<Buffer> {
  for (let i = 0; i < times; i++) yield part;
}

/** The most memory that a process ever held, in bytes. */
async function peakMemory(pid: number | undefined): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'latin1');
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}

function verdictOf(result: MeasureResult) {
  assert.equal(result.type, 'verdict', JSON.stringify(result));
  return result.type === 'verdict' ? result.verdict : undefined;
}

describe('a measuring process', () => {
  test('measures one layer after another, and has nothing of our environment', async () => {
    process.env.GANTRY_TEST_CANARY = 'secret';
    const child = new MeasureChild();
    try {
      for (const bytes of [gzipSync(emptyTar), gzipSync(emptyTar)]) {
        const result = await child.measure(Readable.from([bytes]), {
          compression: 'gzip',
          cap: MB,
        });
        assert.deepEqual(verdictOf(result), { state: 'measured', uncompressedSize: 1024 });
        assert.equal(child.usable, true);
      }
      assert.equal(getPriority(child.pid), 19);
      if (!noProc) {
        const environment = await readFile(`/proc/${child.pid}/environ`, 'latin1');
        assert.equal(environment, 'UV_THREADPOOL_SIZE=1\0');
      }
    } finally {
      delete process.env.GANTRY_TEST_CANARY;
      await child.close();
    }
    assert.equal(child.usable, false);
  });

  // A window of 128 MiB is what a zstd frame may ask for; the rest is Node's own.
  const zeros = Buffer.alloc(64 * MB);
  const cases = [
    { name: 'gzip', compression: 'gzip', part: gzipSync(zeros), most: 160 * MB },
    { name: 'zstd', compression: 'zstd', part: zstdCompressSync(zeros), most: 160 * MB },
    { name: 'plain tar', compression: 'none', part: zeros.subarray(0, MB), most: 160 * MB },
  ] as const;
  for (const { name, compression, part, most } of cases) {
    test(`A36 memory stays bounded: ${name}`, { skip: noProc }, async () => {
      const before = process.memoryUsage.rss();
      const perPart = compression === 'none' ? part.length : zeros.length;
      const times = Math.ceil((640 * MB) / perPart);
      const child = new MeasureChild();
      try {
        const whole = await child.measure(Readable.from(repeat(part, times)), {
          compression,
          cap: times * perPart,
        });
        const uncompressedSize = times * perPart;
        assert.deepEqual(verdictOf(whole), { state: 'measured', uncompressedSize });
        const cap = 100 * MB;
        const bomb = await child.measure(Readable.from(repeat(part, 1e9)), { compression, cap });
        assert.equal(verdictOf(bomb)?.state, 'over');
        const peak = await peakMemory(child.pid);
        assert.ok(peak < most, `the process held ${peak} bytes`);
      } finally {
        await child.close();
      }
      const grown = process.memoryUsage.rss() - before;
      assert.ok(grown < 100 * MB, `this process grew by ${grown} bytes`);
    });
  }

  test('memory stays bounded: zstd with its largest window', { skip: noProc }, async () => {
    const compressor = new CompressStream({ windowLog: 27 });
    for (let i = 0; i < 5; i++) compressor.write(zeros);
    compressor.end();
    const child = new MeasureChild();
    try {
      const job = { compression: 'zstd', cap: 1000 * MB } as const;
      const result = await child.measure(compressor, job);
      assert.deepEqual(verdictOf(result), { state: 'measured', uncompressedSize: 320 * MB });
      const peak = await peakMemory(child.pid);
      assert.ok(peak > 128 * MB && peak < 270 * MB, `the process held ${peak} bytes`);
    } finally {
      await child.close();
    }
  });

  test('a verdict before the end destroys the source, and the process is not used again', async () => {
    const source = Readable.from(repeat(Buffer.from('no tar '.repeat(1000)), 1e9));
    const child = new MeasureChild();
    try {
      const result = await child.measure(source, { compression: 'none', cap: MB });
      assert.equal(verdictOf(result)?.state, 'mismatch');
      assert.equal(source.destroyed, true);
      assert.equal(child.usable, false);
      const next = await child.measure(Readable.from([emptyTar]), { compression: 'none', cap: MB });
      assert.equal(next.type, 'child-failed');
    } finally {
      await child.close();
    }
  });
});

describe('what fails', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gantry-measure-'));
  });
  after(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  const ready = `require('node:fs').writeSync(1, '{"type":"ready"}\\n');`;

  async function failing(code: string, stallLimit = 60_000): Promise<MeasureResult> {
    const worker = join(folder, `${Math.random().toString(36).slice(2)}.cjs`);
    await writeFile(worker, code);
    const child = new MeasureChild({ worker, stallLimit });
    try {
      const source = Readable.from(repeat(Buffer.alloc(65_536), 1e9));
      const result = await child.measure(source, { compression: 'none', cap: 1e15 });
      assert.equal(source.destroyed, true);
      assert.equal(child.usable, false);
      return result;
    } finally {
      await child.close();
    }
  }

  test('a process that cannot start', async () => {
    const result = await failing('console.error("no such library"); process.exit(3)');
    assert.equal(result.type, 'child-failed');
    assert.equal('started' in result && result.started, false);
    assert.match('reason' in result ? result.reason : '', /ended with code 3: no such library/);
  });

  test('a process that crashes within a layer', async () => {
    const code = `${ready} process.stdin.once('data', () => process.kill(process.pid, 'SIGSEGV'))`;
    const result = await failing(code);
    assert.equal('started' in result && result.started, true);
    assert.match('reason' in result ? result.reason : '', /ended with SIGSEGV/);
  });

  test('a process that hangs', async () => {
    const result = await failing(`${ready} process.stdin.once('data', () => { for (;;); })`, 500);
    assert.equal('started' in result && result.started, true);
    assert.match('reason' in result ? result.reason : '', /no progress for 0.5 s/);
  });

  test('a process that talks nonsense', async () => {
    const result = await failing(`${ready} console.log('hello'); process.stdin.resume()`);
    assert.match('reason' in result ? result.reason : '', /no message/);
  });

  test('a source that breaks, at once or later, or stalls, says nothing of the layer', async () => {
    const late = async function* () {
      yield Buffer.alloc(70_000);
      throw new Error('connection lost');
    };
    const broken = () => new Readable({ read() {} }).destroy(new Error('connection lost'));
    for (const open of [() => Readable.from(late()), broken]) {
      const source = open();
      const child = new MeasureChild();
      try {
        const result = await child.measure(source, { compression: 'none', cap: MB });
        assert.equal(result.type, 'source-failed');
        assert.match('error' in result ? String(result.error) : '', /connection lost/);
        assert.equal(child.usable, false, 'half a layer was sent');
      } finally {
        await child.close();
      }
    }
    const child = new MeasureChild({ stallLimit: 300 });
    try {
      const source = new Readable({ read() {} });
      const result = await child.measure(source, { compression: 'none', cap: MB });
      assert.equal(result.type, 'source-failed');
      assert.match('error' in result ? String(result.error) : '', /nothing for 0.3 s/);
      assert.equal(source.destroyed, true);
    } finally {
      await child.close();
    }
  });

  test('closing ends what is under way', async () => {
    const child = new MeasureChild();
    const source = Readable.from(repeat(Buffer.alloc(65_536), 1e9));
    const running = child.measure(source, { compression: 'none', cap: 1e15 });
    await child.close();
    const result = await running;
    assert.equal(result.type, 'child-failed');
    assert.equal(source.destroyed, true);
  });
});
