/**
 * The server's TypeScript as JavaScript, stripped once and kept below .cache by the digest of its source.
 * Lines and columns are those of the source.
 */
import { hash } from 'node:crypto';
import { globSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { join, resolve, sep } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const folders = ['src', 'storage-adapters'];
const kept = join(root, '.cache', 'stripped', process.version);

/** Whether a file is of the server, as an absolute path. */
export function isOurs(path) {
  return (
    path.endsWith('.ts') && folders.some((folder) => path.startsWith(join(root, folder) + sep))
  );
}

/** The JavaScript of a source; undefined where it was not stripped yet. */
export function readStripped(source) {
  try {
    return readFileSync(fileOf(source), 'utf8');
  } catch {
    return undefined;
  }
}

/** Strips all that is not kept yet. A file with an error is left to Node, which tells where it is. */
export function stripAll() {
  mkdirSync(kept, { recursive: true });
  for (const path of globSync(`{${folders}}/**/*.ts`, { cwd: root, exclude: ['**/*.test.ts'] })) {
    const source = readFileSync(join(root, path), 'utf8');
    if (readStripped(source) !== undefined) continue;
    try {
      keep(fileOf(source), strip(source));
    } catch (error) {
      if (error.code !== 'ERR_INVALID_TYPESCRIPT_SYNTAX') throw error;
    }
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

/** Whole or not at all: other servers may start at the same time. */
function keep(file, code) {
  const partial = `${file}.${process.pid}`;
  writeFileSync(partial, code);
  renameSync(partial, file);
}

if (import.meta.main) stripAll();
