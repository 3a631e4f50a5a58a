/** Fails on an import that points against the arrows of ARCHITECTURE.md: `node scripts/check-deps.ts`. */
import { globSync, readFileSync } from 'node:fs';
import { dirname, posix, resolve } from 'node:path';
import { allowedImports, allowedPackages, pureFolders } from './dependency-rules.ts';

export interface SourceFile {
  /** From the root of the checkout, with `/`. */
  readonly path: string;
  readonly text: string;
}

/** One sentence for each import that is not allowed. */
export function findWrongImports(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) => {
    const { path, text } = file;
    if (!isShipped(path)) return [];
    return importsOf(text).flatMap((target) => {
      const problem = target.startsWith('.')
        ? wrongFile(path, posix.join(dirname(path), target))
        : wrongPackage(path, target);
      return problem === undefined ? [] : [`${path}: ${problem}`];
    });
  });
}

/** Tests, and what only tests import, use real parts of any folder. */
function isShipped(path: string): boolean {
  return (
    /^(?:src|storage-adapters)\//.test(path) && !/(?:^|[/.-])(?:test|contract)[/.-]/.test(path)
  );
}

/** Modules that `text` imports, re-exports or starts as a worker, types included. */
export function importsOf(text: string): string[] {
  const code = text.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
  const patterns = [
    /^\s*(?:import|export)\s[^'"`;]*?\sfrom\s*['"]([^'"]+)['"]/gm,
    /^\s*import\s*['"]([^'"]+)['"]/gm,
    /\b(?:import|require|resolve)\(\s*['"]([^'"]+)['"]\s*\)/g,
    /\bnew URL\(\s*['"](\.[^'"]*\.(?:ts|mjs))['"]/g,
  ];
  return patterns.flatMap((pattern) => [...code.matchAll(pattern)].map((match) => match[1]!));
}

function wrongFile(from: string, to: string): string | undefined {
  const source = placeOf(from);
  const target = placeOf(to);
  if (source === target) return undefined;
  const allowed = allowedImports[source];
  if (!allowed) return `${source} has no row in scripts/dependency-rules.ts`;
  if (allowed.includes(target)) return undefined;
  const may = allowed.length === 0 ? 'nothing' : allowed.join(', ');
  return `imports ${to}, but ${source} may import only: ${may}`;
}

/** `src/http/app.ts` -> `http`, `src/main.ts` -> `main.ts`, `storage-adapters/…` -> `storage-adapters`. */
function placeOf(path: string): string {
  const [first = '', second = ''] = path.split('/');
  return first === 'src' ? second : first;
}

function wrongPackage(from: string, target: string): string | undefined {
  if (target.startsWith('node:')) return impure(from, target);
  const name = target
    .split('/')
    .slice(0, target.startsWith('@') ? 2 : 1)
    .join('/');
  const places = allowedPackages[name];
  if (!places) return `imports ${name}, which has no row in scripts/dependency-rules.ts`;
  if (places.some((place) => from.startsWith(`${place}/`))) return undefined;
  return `imports ${name}, which is for ${places.join(', ')} alone`;
}

function impure(from: string, target: string): string | undefined {
  const folder = Object.keys(pureFolders).find((place) => from.startsWith(`${place}/`));
  if (!folder || pureFolders[folder]!.includes(target)) return undefined;
  return `imports ${target}, but ${folder} only decides`;
}

export function readSources(root: string): SourceFile[] {
  return globSync('{src,storage-adapters}/**/*.{ts,mjs}', { cwd: root })
    .map((path) => path.replaceAll('\\', '/'))
    .sort()
    .map((path) => ({ path, text: readFileSync(resolve(root, path), 'utf8') }));
}

if (import.meta.main) {
  const files = readSources(resolve(import.meta.dirname, '..'));
  const problems = findWrongImports(files);
  for (const problem of problems) console.error(problem);
  if (files.length === 0) console.error('there is no source file to check');
  process.exitCode = problems.length > 0 || files.length === 0 ? 1 : 0;
}
