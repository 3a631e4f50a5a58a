/** The program of an earlier commit, from git's history, to run beside this one. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type Program, root } from '../faults/support/gantry.ts';

export interface OldProgram extends Program, AsyncDisposable {}

/** Why it cannot be had here; undefined where it can. */
export function historyObstacle(commit: string): string | undefined {
  const { status, stderr } = spawnSync('git', ['cat-file', '-e', `${commit}^{tree}`], {
    ...{ cwd: root, encoding: 'utf8' },
  });
  if (status === 0) return undefined;
  const cause = stderr?.trim() || 'git cannot be run';
  return `this checkout's history does not reach to ${commit.slice(0, 8)} (${cause})`;
}

/** Its tree in a temporary folder, with its packages: this checkout's where they are the same. */
export async function openOldProgram(commit: string): Promise<OldProgram> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'gantry-old-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const archive = spawn('git', ['archive', commit], {
    ...{ cwd: root, stdio: ['ignore', 'pipe', 'inherit'] },
  });
  const unpack = spawn('tar', ['-x', '-C', folder], { stdio: ['pipe', 'ignore', 'inherit'] });
  const ends = Promise.all([once(archive, 'close'), once(unpack, 'close')]);
  await pipeline(archive.stdout!, unpack.stdin!);
  for (const [code] of await ends)
    if (code !== 0) throw new Error(`the tree of ${commit} cannot be had`);
  const locks = [root, folder].map((one) => readFile(join(one, 'package-lock.json'), 'utf8'));
  const [ours, theirs] = await Promise.all(locks);
  if (ours === theirs) {
    await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  } else {
    const install = spawn('npm', ['ci', '--omit=dev', '--no-audit', '--no-fund'], {
      ...{ cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] },
    });
    const [code] = await once(install, 'close');
    if (code !== 0) throw new Error(`the packages of ${commit} cannot be installed`);
  }
  await compile(folder);
  const settings = await readFile(join(folder, 'docs', 'settings.md'), 'utf8');
  const names = new Set(settings.match(/\bGANTRY_[A-Z0-9_]+\b/g));
  const opened = stack.move();
  return {
    root: folder,
    knows: (setting) => names.has(setting),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** So that its first start, whose time is limited, is no slower than another. */
async function compile(folder: string): Promise<void> {
  const program = spawn(process.execPath, [join('src', 'main.ts'), '--version'], {
    ...{ cwd: folder, stdio: 'ignore' },
    env: { PATH: process.env.PATH ?? '', NODE_COMPILE_CACHE: join(folder, '.cache', 'compile') },
  });
  await once(program, 'close');
}
