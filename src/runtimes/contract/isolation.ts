import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Cases, until } from './bench.ts';

const show = ['/bin/busybox', 'echo'];

export const isolation: Cases = {
  "the image's entrypoint and command hold, unless others are given": async (bench) => {
    const image = await bench.image({ entrypoint: [...show, 'entry'], command: ['arg'] });
    const run = async (more: { command?: readonly string[]; args?: readonly string[] }) => {
      const { id } = await bench.run(image, more);
      await bench.driver.wait(id);
      return bench.output(id);
    };
    assert.equal(await run({}), 'entry arg');
    assert.equal(await run({ args: ['other'] }), 'entry other');
    assert.equal(await run({ args: [] }), 'entry arg', 'no arguments are none given');
    assert.equal(await run({ command: [...show, 'mine'] }), 'mine', "and not the image's");
    assert.equal(await run({ command: [...show, 'mine'], args: ['too'] }), 'mine too');
  },

  "the image's USER and folder are kept; name and environment are what is asked": async (bench) => {
    const script = 'echo $(/bin/busybox id -u) $PWD $(/bin/busybox hostname) $OWN $GIVEN';
    const image = await bench.image({
      user: '1000',
      workingDir: '/tmp',
      env: { OWN: 'own', GIVEN: 'image' },
    });
    const { id } = await bench.run(image, {
      command: ['/bin/sh', '-c', script],
      env: { GIVEN: 'spec' },
      hostname: 'a-name',
    });
    await bench.driver.wait(id);
    assert.equal(await bench.output(id), '1000 /tmp a-name own spec');
    assert.match(await bench.printed('/bin/busybox id -u'), /^0$/);
  },

  'root keeps only the powers that servers need to start, and gains none': async (bench) => {
    const printed = await bench.printed(
      '/bin/busybox grep -E "^(Cap|NoNewPrivs|Seccomp:)" /proc/self/status',
    );
    const status = Object.fromEntries(printed.split('\n').map((line) => line.split(/:\s*/)));
    // CHOWN 0, DAC_OVERRIDE 1, FOWNER 3, FSETID 4, KILL 5, SETGID 6, SETUID 7, NET_BIND_SERVICE 10.
    const kept = [0, 1, 3, 4, 5, 6, 7, 10].reduce((mask, bit) => mask | (1 << bit), 0);
    for (const set of ['CapBnd', 'CapEff', 'CapPrm']) {
      assert.equal(Number.parseInt(status[set] ?? '', 16), kept, printed);
    }
    assert.equal(status.NoNewPrivs, '1');
    assert.equal(status.Seccomp, '2', 'the filter of system calls is on');
  },

  'A43: neither the socket of the engine nor folders of the machine are in it': async (bench) => {
    const printed = await bench.printed(
      '/bin/busybox ls /var/run/docker.sock /run/docker.sock; ' +
        '/bin/busybox cut -d" " -f2 /proc/mounts; /bin/busybox mount -t tmpfs none /tmp',
    );
    assert.doesNotMatch(printed, /^\/(var\/)?run\/docker\.sock$/m);
    assert.doesNotMatch(printed, /^\/(root|home|work|data)(\/|$)/m);
    assert.match(printed, /permission denied|not permitted/i, 'nothing can be mounted');
  },

  'A44: a fork bomb meets its limit': async (bench) => {
    // The first shell forks no more: it would end where it cannot.
    const script =
      '/bin/busybox mkfifo /tmp/f; (while :; do /bin/busybox sleep 60 & done); read x < /tmp/f';
    const { id } = await bench.script(script, { pids: 20 });
    const stats = await until(async () => {
      const stats = await bench.driver.stats(id);
      return stats.pids >= 18 && stats;
    }, 'the bomb goes off');
    assert.ok(stats.pids <= 20, `${stats.pids}`);
    await bench.driver.remove(id);
  },

  'no more CPU is had than was given': async (bench) => {
    const { id } = await bench.script('while :; do :; done', { cpus: 0.2 });
    const from = performance.now();
    const before = (await bench.driver.stats(id)).cpuMicros;
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const used = (await bench.driver.stats(id)).cpuMicros - before;
    const share = used / 1000 / (performance.now() - from);
    assert.ok(share > 0.02 && share < 0.35, `${share} of a core`);
    await bench.driver.remove(id);
  },

  'a file that is kept fresh is read, seen when it changes, and not written': async (bench) => {
    const source = join(bench.subject.folder, `token-${process.pid}`);
    writeFileSync(source, 'first\n', { mode: 0o644 });
    const { id } = await bench.script('while :; do /bin/busybox sleep 1; done', {
      files: [{ path: '/run/gantry/token', source }],
    });
    const read = () => bench.inside(id, '/bin/busybox', 'cat', '/run/gantry/token');
    assert.equal(await read(), 'first\n');
    writeFileSync(source, 'second\n');
    assert.equal(await read(), 'second\n');
    const exec = await bench.driver.exec(id, {
      command: ['/bin/sh', '-c', 'echo mine > /run/gantry/token'],
    });
    assert.notEqual(await exec.exit, 0);
    assert.equal(await read(), 'second\n');
    await bench.driver.remove(id);
  },
};
