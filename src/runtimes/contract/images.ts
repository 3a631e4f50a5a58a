import assert from 'node:assert/strict';
import { parseDigest } from '../../oci/digest.ts';
import type { PullProgress } from '../../ports/runtime-driver.ts';
import { type Cases, refuses } from './bench.ts';

export const images: Cases = {
  'an image is pulled by its digest once, and then it is there': async ({ driver, subject }) => {
    const source = await subject.push(
      {
        entrypoint: ['/bin/sh'],
        command: ['-c', 'exit 0'],
        user: '1000',
        workingDir: '/tmp',
        env: { COLOUR: 'red=blue' },
        expose: [8080],
        extraBytes: 4 << 20,
      },
      'once',
    );
    const told: PullProgress[] = [];
    const first = await driver.prepare(source, { progress: (progress) => told.push(progress) });
    assert.equal(first.cached, false);
    assert.ok(first.pullMs > 0, `${first.pullMs}`);
    assert.ok(first.size > 4 << 20, `${first.size}`);
    assert.equal(first.platform, 'linux/amd64');
    const { user, workingDir, entrypoint, command, exposedPorts, env } = first.config;
    assert.deepEqual(
      { user, workingDir, entrypoint, command, exposedPorts, colour: env.COLOUR },
      {
        user: '1000',
        workingDir: '/tmp',
        entrypoint: ['/bin/sh'],
        command: ['-c', 'exit 0'],
        exposedPorts: [8080],
        colour: 'red=blue',
      },
    );
    for (const { bytes, total } of told) assert.ok(bytes <= (total ?? Number.POSITIVE_INFINITY));
    const again = await driver.prepare(source, {});
    assert.deepEqual({ ...again, cached: false, pullMs: first.pullMs }, first);
    assert.equal(again.cached, true);
    assert.equal(again.pullMs, 0);
  },

  'of an index, what is for the engine is taken': async (bench) => {
    const image = await bench.image({ architectures: ['arm64', 'amd64'] });
    assert.equal(image.platform, 'linux/amd64');
    const { id } = await bench.run(image, { command: ['/bin/sh', '-c', 'echo it runs'] });
    await bench.driver.wait(id);
    assert.equal(await bench.output(id), 'it runs');
  },

  'an image for other platforms is refused with their names, and leaves nothing': async (bench) => {
    for (const architectures of [['arm64'], ['arm64', 's390x']]) {
      const source = await bench.subject.push({ architectures }, 'elsewhere');
      const text = await refuses(bench.driver.prepare(source, {}), 'no-such-platform');
      for (const architecture of architectures) assert.match(text, new RegExp(architecture));
      assert.match(text, /linux\/amd64/);
      assert.match(text, /docker build --platform linux\/amd64/);
    }
    assert.deepEqual(await bench.driver.images(), []);
  },

  'an image that the registry does not have is refused': async ({ driver, subject }) => {
    const source = await subject.push({}, 'one');
    const digest = parseDigest(`sha256:${'a'.repeat(64)}`)!;
    await refuses(driver.prepare({ ...source, digest }, {}), 'no-such-image');
  },

  'a pull with wrong credentials fails, and its text does not tell them': async (bench) => {
    const source = await bench.subject.push({}, 'credentials');
    const credentials = { username: 'pull', password: 'canary-4711' };
    const pull = bench.driver.prepare({ ...source, credentials }, {});
    const text = await refuses(pull, 'pull-failed');
    assert.doesNotMatch(text, /canary/);
  },

  'zstd layers are unpacked, or refused where the engine cannot': async (bench) => {
    const { compressions } = await bench.driver.capabilities();
    const source = await bench.subject.push({ compression: 'zstd' }, 'zstd');
    if (compressions.includes('zstd')) {
      const { id } = await bench.run(await bench.driver.prepare(source, {}), {
        command: ['/bin/sh', '-c', 'exit 5'],
      });
      assert.equal((await bench.driver.wait(id)).code, 5);
    } else {
      const text = await refuses(bench.driver.prepare(source, {}), 'pull-failed');
      assert.match(text, /zstd/);
      const { missing } = await bench.driver.capabilities();
      assert.ok(
        missing.some((sentence) => sentence.includes('zstd')),
        missing.join('\n'),
      );
    }
  },

  'a pull ends when it is told to': async ({ driver, subject }) => {
    const source = await subject.push({ extraBytes: 64 << 20 }, 'aborted');
    const abort = new AbortController();
    const pull = driver.prepare(source, { signal: abort.signal });
    setTimeout(() => abort.abort(new Error('enough')), 20);
    await assert.rejects(pull, /enough/);
    assert.equal((await driver.prepare(source, {})).cached, false);
  },

  'images are listed; one in use stays, and a free one goes': async (bench) => {
    const { driver } = bench;
    const source = await bench.subject.push({ architectures: ['arm64', 'amd64'] }, 'listed');
    const from = Date.now() - 60_000;
    const image = await driver.prepare(source, {});
    const { id } = await driver.create(bench.spec(image));
    const listed = async () => (await driver.images()).filter((each) => each.id === image.id);
    const [used] = await listed();
    assert.equal(used?.repository, source.repository);
    assert.equal(used?.digest, source.digest);
    assert.equal(used?.inUse, true);
    assert.ok((used?.preparedAt ?? 0) > from, `${used?.preparedAt}`);
    assert.equal(await driver.removeImage(image.id), false);
    await driver.remove(id);
    assert.equal((await listed())[0]?.inUse, false);
    assert.equal(await driver.removeImage(image.id), true);
    assert.deepEqual(await listed(), []);
    assert.equal(await driver.removeImage(image.id), true, 'what is gone is free');
    await refuses(driver.create(bench.spec(image)), 'no-such-image');
    assert.equal((await driver.prepare(source, {})).cached, false);
  },
};
