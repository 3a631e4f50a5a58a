import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { hash } from 'node:crypto';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { pathToFileURL } from 'node:url';

const names = ['load-stripped.mjs', 'stripped-types.mjs'];

/** A checkout of one program, with the loader. */
function checkout(t, program) {
  const root = mkdtempSync(join(tmpdir(), 'gantry stripped-'));
  t.after(() => {
    rmSync(root, { recursive: true });
  });
  for (const folder of ['scripts', 'src']) mkdirSync(join(root, folder));
  for (const name of names) cpSync(join(import.meta.dirname, name), join(root, 'scripts', name));
  writeFileSync(join(root, 'package.json'), '{ "type": "module" }');
  const file = join(root, 'src', 'main.ts');
  writeFileSync(file, program);
  return {
    ...{ root, file },
    kept: () => readdirSync(join(root, '.cache', 'stripped', process.version)),
    /** What is kept of the program ends after so many bytes. */
    cut(length) {
      const folder = join(root, '.cache', 'stripped', process.version);
      truncateSync(join(folder, readdirSync(folder)[0]), length);
    },
    /** As scripts/server-env.mjs has it. */
    run() {
      const loader = pathToFileURL(join(root, 'scripts', 'load-stripped.mjs'));
      const { stdout, stderr } = spawnSync(process.execPath, [file], {
        env: {
          ...process.env,
          NODE_OPTIONS: `--import=${loader}`,
          NODE_DISABLE_COMPILE_CACHE: '1',
        },
        encoding: 'utf8',
      });
      return { stdout, stderr };
    },
  };
}

/** Says whether Node's own stripper was loaded, here and in a thread. */
const program = `import { isMainThread, Worker } from 'node:worker_threads';
interface Told { readonly thread: string }
const told: Told = { thread: isMainThread ? 'main' : 'other' };
const loaded = process.moduleLoadList.some((name: string) => name.includes('amaro'));
console.log(told.thread, loaded);
if (isMainThread) new Worker(new URL(import.meta.url));
`;

test('no thread of a server loads the stripper, at the first start or later', (t) => {
  const { run, kept } = checkout(t, program);
  for (const start of ['first', 'second']) {
    assert.deepEqual(run(), { stdout: 'main false\nother false\n', stderr: '' }, start);
    assert.equal(kept().length, 1);
  }
});

test('what changed is stripped anew', (t) => {
  const { file, run } = checkout(t, `console.log('one' as string);`);
  assert.equal(run().stdout, 'one\n');
  writeFileSync(file, `console.log('two' as string);`);
  assert.equal(run().stdout, 'two\n');
});

test('what no source has any more is removed a day later, of any version of Node', (t) => {
  const { root, file, run, kept } = checkout(t, `console.log('one' as string);`);
  run();
  const next = `console.log('two' as string);`;
  const other = join(root, '.cache', 'stripped', 'v1.2.3');
  mkdirSync(other);
  const current = `${hash('sha256', next)}.js`;
  for (const name of ['gone.js', current]) writeFileSync(join(other, name), '');
  writeFileSync(join(other, 'young.js'), '');
  const ours = join(root, '.cache', 'stripped', process.version);
  const old = [join(ours, kept()[0]), join(other, 'gone.js'), join(other, current)];
  for (const path of old) utimesSync(path, 0, Date.now() / 1000 - 90_000);
  writeFileSync(file, next);
  assert.equal(run().stdout, 'two\n');
  assert.deepEqual(kept(), [current]);
  assert.deepEqual(readdirSync(other).sort(), [current, 'young.js'].sort());
});

test('what a power cut left of a file is stripped anew', (t) => {
  const { run, cut } = checkout(t, `console.log('whole' as string);`);
  assert.equal(run().stdout, 'whole\n');
  for (const length of [0, 10]) {
    cut(length);
    assert.equal(run().stdout, 'whole\n', `${length} bytes`);
  }
});

test('lines and columns are those of the source, blanks in literals too', (t) => {
  const text = [
    'interface Gone {   ',
    '  readonly long: string;',
    '}',
    'const text = `kept   ',
    'as it is \t',
    '` as string;',
    'console.log(JSON.stringify(text));',
    `console.log(((text as unknown) as string) + new Error('at').stack!.split('\\n')[1]);`,
  ];
  const { file, run } = checkout(t, text.join('\n'));
  const { stdout } = run();
  assert.match(stdout, /^"kept {3}\\nas it is \\t\\n"\n/);
  assert.ok(
    stdout.includes(`${pathToFileURL(file)}:8:${text[7].indexOf('new Error') + 1}`),
    stdout,
  );
});

test('an error in a file is told as without it', (t) => {
  const { run } = checkout(t, 'const a: = 1;\nconsole.log(a);\n');
  const { stdout, stderr } = run();
  assert.equal(stdout, '');
  assert.match(stderr, /main\.ts:1[\s\S]*ERR_INVALID_TYPESCRIPT_SYNTAX/);
});

test('where nothing can be kept, Node strips', (t) => {
  const { root, run } = checkout(t, `console.log('runs' as string);`);
  writeFileSync(join(root, '.cache'), '');
  assert.equal(run().stdout, 'runs\n');
});
