/** A shell and its programs in one file: what images of tests hold that run more than a server. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

export const busyboxPath = '/bin/busybox';

/** Why there is none here that runs by itself in an image: the reason of a skip. */
export function needsBusybox(): string | undefined {
  if (!existsSync(busyboxPath)) return `${busyboxPath} is not installed (Debian: busybox-static)`;
  const { stdout } = spawnSync('ldd', [busyboxPath], { encoding: 'utf8' });
  return stdout.includes('=>')
    ? `${busyboxPath} is not static (Debian: busybox-static)`
    : undefined;
}
