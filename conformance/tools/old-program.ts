/** The program of an earlier commit, from git's history, to run beside this one. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
  // By a file: tar may end at the archive's last entry, before it has read the padding of a pipe.
  const archive = join(folder, 'tree.tar');
  const why = `the tree of ${commit} cannot be had`;
  await run('git', ['archive', '--output', archive, commit], root, why);
  await run('tar', ['-x', '-f', archive, '-C', folder], folder, why);
  await rm(archive);
  const locks = [root, folder].map((one) => readFile(join(one, 'package-lock.json'), 'utf8'));
  const [ours, theirs] = await Promise.all(locks);
  if (ours === theirs) {
    await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  } else {
    const install = ['ci', '--omit=dev', '--no-audit', '--no-fund'];
    await run('npm', install, folder, `the packages of ${commit} cannot be installed`);
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

/** @throws Error that says `why`, where it fails. */
async function run(program: string, args: readonly string[], cwd: string, why: string) {
  const child = spawn(program, args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(why);
}

/** So that its first start, whose time is limited, is no slower than another. */
async function compile(folder: string): Promise<void> {
  const program = spawn(process.execPath, [join('src', 'main.ts'), '--version'], {
    ...{ cwd: folder, stdio: 'ignore' },
    env: { PATH: process.env.PATH ?? '', NODE_COMPILE_CACHE: join(folder, '.cache', 'compile') },
  });
  await once(program, 'close');
}
