/**
 * Makes ready what the client suites run: `node conformance/tools/install.ts [--only name,name]`.
 *
 * The first run builds for some minutes, later ones only look. What cannot be had is said here and again by
 * each suite that needs it, which then skips; so this exits 0 unless a name after --only is unknown.
 */
import { spawnSync } from 'node:child_process';
import { setPriority } from 'node:os';
import { buildTool } from './build.ts';
import { cacheFolder, isBuilt, recordFailure } from './cache.ts';
import { installPackages } from './debian.ts';
import { goTools } from './pins.ts';
import { installPython, pythonTools } from './python.ts';

const say = (line: string) => console.log(`tools: ${line}`);

/** Names of what is missing afterwards, each with its reason. */
export async function installTools(only?: readonly string[]): Promise<Map<string, string>> {
  const missing = new Map<string, string>();
  const wanted = goTools.filter((tool) => (only ? only.includes(tool.name) : !tool.onlyByName));
  const names = wanted.map((tool) => tool.name);
  const needed = only && new Set(wanted.flatMap((tool) => tool.needs ?? []));
  for (const result of installPackages(say, needed)) {
    if (result.state === 'missing') missing.set(result.package, result.reason ?? 'unknown reason');
  }
  const absent = wanted.filter((tool) => !isBuilt(tool));
  const go = absent.length > 0 ? findGo() : undefined;
  if (absent.length > 0)
    say(`building ${absent.length} of ${wanted.length} tools into ${cacheFolder()}`);
  for (const tool of absent) {
    const lacking = (tool.needs ?? []).filter((name) => missing.has(name));
    try {
      if (!go) throw new Error('there is no go on PATH');
      if (lacking.length > 0) throw new Error(`it needs ${lacking.join(', ')}`);
      const start = performance.now();
      await buildTool(tool, go);
      recordFailure(tool, undefined);
      say(
        `${tool.name} ${tool.version} built in ${Math.round((performance.now() - start) / 1000)} s`,
      );
    } catch (error) {
      const why = (error as Error).message;
      missing.set(tool.name, why);
      recordFailure(tool, why);
    }
  }
  if (!only || only.includes(pythonTools)) {
    names.push(pythonTools);
    const why = await installPython(say);
    if (why !== undefined) missing.set(pythonTools, why);
  }
  for (const [name, reason] of missing) say(`MISSING ${name}: ${reason}`);
  say(`${names.filter((name) => !missing.has(name)).length} of ${names.length} tools ready`);
  return missing;
}

function findGo(): string | undefined {
  const version = spawnSync('go', ['version'], { encoding: 'utf8' });
  return version.status === 0 ? 'go' : undefined;
}

if (import.meta.main) {
  const index = process.argv.indexOf('--only');
  const only = index < 0 ? undefined : (process.argv[index + 1] ?? '').split(',');
  const names = [...goTools.map((tool) => tool.name), pythonTools];
  const unknown = only?.filter((name) => !names.includes(name)) ?? [];
  if (unknown.length > 0) {
    const known = names.join(', ');
    console.error(`tools: unknown name ${unknown.join(', ')}; known are ${known}`);
    process.exit(2);
  }
  // Whoever works on this machine meanwhile comes first.
  setPriority(10);
  await installTools(only);
}
