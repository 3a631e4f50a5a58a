/** Debian's packages: what is missing is installed where we are root. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { type DebianTool, debianTools } from './pins.ts';

const installLimit = 10 * 60_000;

export interface PackageResult {
  readonly package: string;
  readonly state: 'present' | 'installed' | 'missing';
  readonly reason?: string;
}

/** Installs those packages of pins.ts that are missing; all of them unless named. */
export function installPackages(
  say: (line: string) => void,
  only?: ReadonlySet<string>,
): PackageResult[] {
  const wanted = debianTools.filter((tool) => (only ? only.has(tool.package) : !tool.onlyByName));
  const missing = wanted.filter((tool) => !isPresent(tool));
  const present = wanted.filter((tool) => !missing.includes(tool));
  const results: PackageResult[] = present.map(({ package: name }) => ({
    package: name,
    state: 'present',
  }));
  if (missing.length === 0) return results;
  const names = missing.map((tool) => tool.package);
  const obstacle = whyNot();
  if (obstacle) {
    return [
      ...results,
      ...names.map((name) => ({ package: name, state: 'missing' as const, reason: obstacle })),
    ];
  }
  say(`installing Debian packages: ${names.join(' ')}`);
  apt('update', '-qq');
  let done = install(names);
  if (done.status !== 0) {
    // An interrupted install of something else leaves packages that dpkg wants configured first.
    spawnSync('dpkg', ['--configure', '-a'], { env: aptEnvironment(), timeout: installLimit });
    done = install(names);
  }
  const reason = `apt-get: ${done.stderr.trim().split('\n').at(-1) ?? 'failed'}`;
  for (const tool of missing) {
    results.push(
      isPresent(tool)
        ? { package: tool.package, state: 'installed' }
        : { package: tool.package, state: 'missing', reason },
    );
  }
  return results;
}

function isPresent(tool: DebianTool): boolean {
  if (tool.program && !existsSync(tool.program)) return false;
  const query = spawnSync('dpkg', ['-s', tool.package], { encoding: 'utf8' });
  return query.status === 0 && /^Status: .* installed$/m.test(query.stdout);
}

function whyNot(): string | undefined {
  if (spawnSync('apt-get', ['--version']).error) return 'there is no apt-get';
  if (process.getuid?.() !== 0) return 'installing packages needs root';
  return undefined;
}

function aptEnvironment(): NodeJS.ProcessEnv {
  return { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
}

function apt(...args: string[]) {
  return spawnSync('apt-get', args, {
    encoding: 'utf8',
    env: aptEnvironment(),
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: installLimit,
  });
}

function install(names: string[]) {
  return apt('install', '-y', '-qq', '--no-install-recommends', ...names);
}
