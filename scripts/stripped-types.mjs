/**
 * The server's TypeScript as JavaScript, stripped once and kept below .cache by the digest of its source.
 * Lines and columns are those of the source.
 */
import { hash, randomUUID } from 'node:crypto';
import {
  globSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { basename, join, resolve, sep } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const folders = ['src', 'storage-adapters'];
const all = join(root, '.cache', 'stripped');
const kept = join(all, process.version);
const dayMs = 86_400_000;

/** Whether a file is of the server, as an absolute path. */
export function isOurs(path) {
  return (
    path.endsWith('.ts') && folders.some((folder) => path.startsWith(join(root, folder) + sep))
  );
}

/**
 * The JavaScript of a source; undefined where it was not stripped yet, or what is kept is not whole: a machine that
 * lost its power leaves files that have their name and not their bytes, and an empty module fails nowhere.
 */
export function readStripped(source) {
  try {
    const kept = readFileSync(fileOf(source), 'utf8');
    const code = kept.slice(0, -endOf('').length);
    return kept === code + endOf(code) ? code : undefined;
  } catch {
    return undefined;
  }
}

function endOf(code) {
  return `\n// ${hash('sha256', code)}\n`;
}

/**
 * Strips all that is not kept yet, and removes what no source has any more. A file with an error is left to Node,
 * which tells where it is.
 */
export function stripAll() {
  mkdirSync(kept, { recursive: true });
  const current = new Set();
  for (const path of globSync(`{${folders}}/**/*.ts`, { cwd: root, exclude: ['**/*.test.ts'] })) {
    const source = readFileSync(join(root, path), 'utf8');
    current.add(basename(fileOf(source)));
    if (readStripped(source) !== undefined) continue;
    try {
      const code = strip(source);
      keep(fileOf(source), code + endOf(code));
    } catch (error) {
      if (error.code !== 'ERR_INVALID_TYPESCRIPT_SYNTAX') throw error;
    }
  }
  removeOld(current);
}

/** A day after it was written: another process may be at it until then. */
function removeOld(current) {
  for (const name of globSync('*/*', { cwd: all })) {
    const file = join(all, name);
    if (current.has(basename(file))) continue;
    const { mtimeMs = Date.now() } = statSync(file, { throwIfNoEntry: false }) ?? {};
    if (Date.now() - mtimeMs > dayMs) rmSync(file, { force: true });
  }
}

/** Blanks stand for what is taken out: those at the end of a line are not needed to keep columns. */
function strip(source) {
  const before = source.split('\n');
  const after = stripTypeScriptTypes(source).split('\n');
  // A line that ended in a blank before may be one of a literal.
  return after.map((line, at) => (/\s$/.test(before[at]) ? line : line.trimEnd())).join('\n');
}

function fileOf(source) {
  return join(kept, `${hash('sha256', source)}.js`);
}

/** Whole or not at all: other servers may start at the same time, in containers under the same process id. */
function keep(file, text) {
  const partial = `${file}.${randomUUID()}`;
  writeFileSync(partial, text);
  renameSync(partial, file);
}

if (import.meta.main) stripAll();
