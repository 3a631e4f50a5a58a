/**
 * What the suites run that comes from PyPI: one virtual environment, every package pinned with its hashes in
 * `python/requirements.txt`.
 *
 *   <cache>/python-<key>/bin/python     where they are installed
 *   <cache>/python-<key>.failed         why they could not be, in text
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { cacheFolder, type Found } from './cache.ts';
import { installPackages } from './debian.ts';

/** The name that `--only` and a suite's `tools` know it by. */
export const pythonTools = 'python';

export const requirementsFile = join(import.meta.dirname, 'python', 'requirements.txt');

const installLimit = 10 * 60_000;
const oldest = '3.11';
const usable = `import ensurepip, sys, venv; sys.exit(sys.version_info < (${oldest.replace('.', ', ')}))`;

function folderOf(cache: string): string {
  const key = createHash('sha256').update(readFileSync(requirementsFile)).digest('hex');
  return join(cache, `python-${key.slice(0, 12)}`);
}

/** A Python that has the packages, for `python -m`; or why there is none: the reason of a suite's skip. */
export function findPython(cache = cacheFolder()): Found {
  const path = join(folderOf(cache), 'bin', 'python');
  if (existsSync(path)) return { path };
  const failure = `${folderOf(cache)}.failed`;
  const why = existsSync(failure)
    ? readFileSync(failure, 'utf8').trim()
    : `not installed yet: node scripts/run.mjs conformance/tools/install.ts --only ${pythonTools}`;
  return { missing: `the packages of PyPI are missing (${why})` };
}

/** Why it could not be installed, or undefined. */
export async function installPython(say: (line: string) => void): Promise<string | undefined> {
  const cache = cacheFolder();
  const folder = folderOf(cache);
  if ('path' in findPython(cache)) return undefined;
  mkdirSync(cache, { recursive: true });
  rmSync(`${folder}.failed`, { force: true });
  const made = mkdtempSync(`${folder}.`);
  try {
    const python = findInterpreter(say);
    say(`installing the packages of PyPI into ${folder}`);
    await run(python, ['-m', 'venv', made]);
    const options = ['--quiet', '--disable-pip-version-check', '--no-input', '--only-binary=:all:'];
    const pins = ['--require-hashes', '--requirement', requirementsFile];
    await run(join(made, 'bin', 'python'), ['-m', 'pip', 'install', ...options, ...pins]);
    rmSync(folder, { recursive: true, force: true });
    // Programs in `bin` name the folder that they were made in: `python -m` does not.
    renameSync(made, folder);
    return undefined;
  } catch (error) {
    rmSync(made, { recursive: true, force: true });
    const why = (error as Error).message;
    writeFileSync(`${folder}.failed`, `${why}\n`);
    return why;
  }
}

function findInterpreter(say: (line: string) => void): string {
  const works = (path: string) => spawnSync(path, ['-c', usable]).status === 0;
  const found = ['python3', '/usr/bin/python3'].find(works);
  if (found) return found;
  const [result] = installPackages(say, new Set(['python3-venv']));
  if (works('/usr/bin/python3')) return '/usr/bin/python3';
  throw new Error(result?.reason ?? `there is no Python ${oldest} or later with venv`);
}

function run(program: string, args: string[]): Promise<void> {
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let tail = '';
  child.stderr.on('data', (bytes: Buffer) => {
    tail = (tail + bytes).slice(-2000);
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), installLimit);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      if (code === 0) return resolve();
      const lines = tail.split('\n').filter((line) => line.trim() !== '');
      reject(new Error([`pip ended with ${signal ?? code}`, ...lines.slice(-3)].join(': ')));
    });
  });
}
