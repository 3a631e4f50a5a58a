/** Fails on a source file that has grown too long to be read at once: `node scripts/check-size.ts`. */
import { globSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';

export const limit = 300;

/** Path -> why it may be longer. */
export const exceptions: Readonly<Record<string, string>> = {
  'src/compose.ts': 'the one place where everything is put together',
};

export interface SizedFile {
  readonly path: string;
  readonly lines: number;
}

/** One sentence for each file over the limit, and for each exception that is not needed any more. */
export function findLongFiles(
  files: readonly SizedFile[],
  allowed: Readonly<Record<string, string>> = exceptions,
): string[] {
  const long = files.filter(({ lines }) => lines > limit);
  const unneeded = Object.keys(allowed).filter((path) => !long.some((file) => file.path === path));
  return [
    ...long
      .filter(({ path }) => !Object.hasOwn(allowed, path))
      .map(({ path, lines }) => `${path}: ${lines} lines, the limit is ${limit}: split it`),
    ...unneeded.map((path) => `${path}: an exception in scripts/check-size.ts that is not needed`),
  ];
}

export function readSizes(root: string): SizedFile[] {
  return globSync('{src,storage-adapters,conformance,scripts}/**/*.{ts,mjs}', { cwd: root })
    .sort()
    .map((path) => ({ path, lines: countLines(readFileSync(resolve(root, path), 'utf8')) }));
}

export function countLines(text: string): number {
  return text.split('\n').length - (text.endsWith('\n') || text === '' ? 1 : 0);
}

if (import.meta.main) {
  const files = readSizes(resolve(import.meta.dirname, '..'));
  const problems = findLongFiles(files);
  for (const problem of problems) console.error(problem);
  if (files.length === 0) console.error('there is no source file to check');
  process.exitCode = problems.length > 0 || files.length === 0 ? 1 : 0;
}
