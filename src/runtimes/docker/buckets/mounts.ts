import { readFile } from 'node:fs/promises';
import type { RunProgram } from '../network-guard/nft.ts';

/** Mounts of this process's namespace. */
export async function mountPoints(): Promise<string[]> {
  const text = await readFile('/proc/self/mountinfo', 'utf8');
  return text
    .split('\n')
    .map((line) => line.split(' ')[4])
    .filter((path) => path !== undefined)
    .map((path) =>
      path.replace(/\\([0-7]{3})/g, (_, digits: string) =>
        String.fromCharCode(Number.parseInt(digits, 8)),
      ),
    );
}

export async function isMounted(path: string): Promise<boolean> {
  return (await mountPoints()).includes(path);
}

/** All that is mounted on the path, one over the other; also where what served it has died. */
export async function unmountAll(path: string, run: RunProgram): Promise<void> {
  for (let left = (await mountPoints()).filter((one) => one === path).length; left > 0; left--)
    await run('umount', ['--lazy', '--no-canonicalize', path]);
}

/**
 * Shows a mounted folder at `live`, over what is mounted there. Whoever has `live` mounted (rslave) sees what
 * is put over it, even over a dead mount: `live` is shared from its first mount on. Paths are not looked
 * into, which on a dead mount fails.
 */
export async function showAt(live: string, mounted: string, run: RunProgram): Promise<void> {
  await run('mount', ['--no-canonicalize', '--bind', mounted, live]);
  await run('mount', ['--no-canonicalize', '--make-shared', live]);
}

/**
 * The folder mounted on itself, read-only. Apart from showing it: a mount is passed on to those who see
 * `live` as it is when it is made, and it becomes read-only after that.
 */
export async function makeReadOnly(mounted: string, run: RunProgram): Promise<void> {
  await run('mount', ['--no-canonicalize', '--bind', mounted, mounted]);
  await run('mount', ['--no-canonicalize', '-o', 'remount,bind,ro', mounted]);
}

/** A mount of its own that shares nothing with others: what is mounted below is seen where it is shown, alone. */
export async function makePrivate(folder: string, run: RunProgram): Promise<void> {
  if (!(await isMounted(folder))) await run('mount', ['--bind', folder, folder]);
  await run('mount', ['--make-private', folder]);
}
