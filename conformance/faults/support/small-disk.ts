import { execFile } from 'node:child_process';
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  statfsSync,
  statSync,
  writeSync,
} from 'node:fs';
import { mkdtemp, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A file system of its own that can be filled up. */
export class SmallDisk {
  readonly folder: string;
  readonly #ballast: string;

  private constructor(folder: string) {
    this.folder = folder;
    this.#ballast = join(folder, 'ballast');
  }

  /** A sentence where none can be made here. */
  static async mount(bytes: number): Promise<SmallDisk | string> {
    if (process.platform !== 'linux') return 'a small disk is a tmpfs, which Linux has';
    if (process.getuid?.() !== 0) return 'only root can mount a small disk';
    const folder = await mkdtemp(join(tmpdir(), 'gantry-small-disk-'));
    try {
      await run('mount', ['-t', 'tmpfs', '-o', `size=${bytes},mode=0700`, 'gantry-test', folder]);
      return new SmallDisk(folder);
    } catch (error) {
      await rm(folder, { recursive: true });
      return `no tmpfs can be mounted here: ${(error as Error).message.trim()}`;
    }
  }

  /** Takes all room but `left` bytes. */
  fill(left: number): void {
    const size = this.#free() + this.#ballastBytes() - left;
    const file = openSync(this.#ballast, 'w');
    try {
      const zeros = Buffer.alloc(1 << 20);
      for (let at = 0; at < size; )
        at += writeSync(file, zeros, 0, Math.min(zeros.length, size - at));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    } finally {
      closeSync(file);
    }
  }

  /** Gives back all that `fill` took. */
  async free(): Promise<void> {
    await truncate(this.#ballast, 0);
  }

  async unmount(): Promise<void> {
    await run('umount', [this.folder]);
    await rm(this.folder, { recursive: true });
  }

  #free(): number {
    const { bavail, bsize } = statfsSync(this.folder);
    return bavail * bsize;
  }

  #ballastBytes(): number {
    return existsSync(this.#ballast) ? statSync(this.#ballast).size : 0;
  }
}

/** Bytes of the files below a folder. */
export function bytesBelow(folder: string): number {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map(
      (entry) => statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false })?.size ?? 0,
    )
    .reduce((sum, size) => sum + size, 0);
}
