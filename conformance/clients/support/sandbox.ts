/** A folder of a test's own, with a home, so that no client reads or writes the user's settings. */

import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

export interface Sandbox {
  readonly folder: string;
  /** The whole environment of the programs that run here. */
  readonly env: Readonly<Record<string, string>>;
  /** A path below the folder; its parent is made. */
  path(...parts: string[]): string;
  /** A new empty folder below it. */
  fresh(name: string): string;
  remove(): void;
}

export const systemPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export function makeSandbox(): Sandbox {
  // Unix sockets live below: their paths are limited to 107 bytes.
  // Small letters only: buildah makes an image's name of a path.
  const folder = join(tmpdir(), `gantry-${randomBytes(4).toString('hex')}`);
  mkdirSync(folder, { mode: 0o700 });
  let made = 0;
  const home = join(folder, 'home');
  const at = (name: string) => {
    const path = join(home, name);
    mkdirSync(path, { recursive: true });
    return path;
  };
  const env = {
    PATH: systemPath,
    HOME: home,
    DOCKER_CONFIG: at('.docker'),
    REGISTRY_AUTH_FILE: join(home, 'auth.json'),
    XDG_CONFIG_HOME: at('.config'),
    XDG_CACHE_HOME: at('.cache'),
    XDG_DATA_HOME: at('.local/share'),
    XDG_RUNTIME_DIR: at('run'),
    TMPDIR: at('tmp'),
    LANG: 'C.UTF-8',
  };
  return {
    folder,
    env,
    path(...parts) {
      const path = join(folder, ...parts);
      mkdirSync(dirname(path), { recursive: true });
      return path;
    },
    fresh(name) {
      made += 1;
      const path = join(folder, `${name}-${made}`);
      mkdirSync(path);
      return path;
    },
    remove() {
      unmountBelow(folder);
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** Engines leave mounts where they are killed; the deepest go first. */
function unmountBelow(folder: string): void {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((path) => path.startsWith(`${folder}/`));
  for (const path of mounts.reverse()) spawnSync('umount', ['-l', path]);
}
