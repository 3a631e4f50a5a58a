/**
 * Where built programs are kept, and how a suite finds one.
 *
 *   <cache>/<tool>-<version>-<key>/<program>     what was built
 *   <cache>/<tool>-<version>-<key>.failed        why it could not be, in text
 *
 * The key is a hash of the module's go.mod and go.sum and of the flags, so a changed pin is built anew and
 * clones with other pins can share one cache.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { type GoTool, goTools, programsOf } from './pins.ts';

export const modulesFolder = join(import.meta.dirname, 'modules');

/** GANTRY_TOOLS_BIN, else `gantry/tools` in the user's cache folder: fresh clones share it. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  if (env.GANTRY_TOOLS_BIN) return env.GANTRY_TOOLS_BIN;
  const userCache = env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache');
  return join(userCache, 'gantry', 'tools');
}

export function moduleFolder(tool: GoTool): string {
  return join(modulesFolder, tool.name);
}

/** The folder that holds the tool's programs once they are built. */
export function toolFolder(tool: GoTool, cache = cacheFolder()): string {
  const hash = createHash('sha256');
  for (const file of ['go.mod', 'go.sum', ...(tool.module ? ['main.go'] : [])])
    hash.update(readFileSync(join(moduleFolder(tool), file)));
  hash.update(JSON.stringify([tool.packages, tool.tags, tool.variables]));
  return join(cache, `${tool.name}-${tool.version}-${hash.digest('hex').slice(0, 12)}`);
}

export function isBuilt(tool: GoTool, cache = cacheFolder()): boolean {
  const folder = toolFolder(tool, cache);
  return programsOf(tool).every((program) => existsSync(join(folder, program)));
}

export type Found = { readonly path: string } | { readonly missing: string };

/** Keeps why a tool could not be built, for the suites that need it; undefined where it could. */
export function recordFailure(tool: GoTool, why: string | undefined, cache = cacheFolder()): void {
  const file = failureFile(tool, cache);
  rmSync(file, { force: true });
  if (why === undefined) return;
  mkdirSync(cache, { recursive: true });
  writeFileSync(file, `${why}\n`);
}

function failureFile(tool: GoTool, cache: string): string {
  return `${toolFolder(tool, cache)}.failed`;
}

/** The built program of that name, or why there is none: the reason of a suite's skip. */
export function findProgram(program: string, cache = cacheFolder()): Found {
  const tool = goTools.find((candidate) => programsOf(candidate).includes(program));
  if (!tool) throw new Error(`no tool of conformance/tools/pins.ts builds ${program}`);
  const path = join(toolFolder(tool, cache), program);
  if (existsSync(path)) return { path };
  const failure = failureFile(tool, cache);
  const why = existsSync(failure)
    ? readFileSync(failure, 'utf8').trim()
    : `not built yet: node scripts/run.mjs conformance/tools/install.ts --only ${tool.name}`;
  return { missing: `${program} ${tool.version} is missing (${why})` };
}
