/** A file system of a test's own, in a file. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface LoopDisk {
  readonly at: string;
  remove(): void;
}

/** What is made, and how it is mounted. */
export const loopKinds = {
  /** Quotas of writable layers by the overlay2 driver. */
  xfs: { make: ['mkfs.xfs', '-q'], options: 'loop,pquota', from: 'xfsprogs' },
  /** The same by the btrfs driver. */
  btrfs: { make: ['mkfs.btrfs', '-q'], options: 'loop', from: 'btrfs-progs' },
} as const;

/** Why there can be none here: it is tried. */
export function needsLoopDisk(kind: keyof typeof loopKinds): string | undefined {
  const { make, from } = loopKinds[kind];
  if (spawnSync(make[0], ['-V']).error) return `${make[0]} is not installed (Debian: ${from})`;
  const folder = join(tmpdir(), `gantry-loop-${process.pid}`);
  try {
    makeLoopDisk(kind, folder, 512).remove();
    return undefined;
  } catch (error) {
    return `no ${kind} with quotas in a file: ${(error as Error).message.trim().split('\n')[0]}`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** `megabytes` are taken from the disk as they are written. */
export function makeLoopDisk(
  kind: keyof typeof loopKinds,
  folder: string,
  megabytes: number,
): LoopDisk {
  const at = join(folder, 'mounted');
  const file = join(folder, 'disk');
  mkdirSync(at, { recursive: true });
  writeFileSync(file, '');
  truncateSync(file, megabytes * 2 ** 20);
  const { make, options } = loopKinds[kind];
  must(make[0], make[1], file);
  must('mount', '-t', kind, '-o', options, file, at);
  return { at, remove: () => must('umount', '-l', at) };
}

function must(program: string, ...args: readonly string[]): void {
  const { status, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program}: ${stderr}`);
}
