import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import { Readable } from 'node:stream';
import { pack } from 'tar-stream';
import type { InstanceSpec, RuntimeError } from '../../ports/runtime-driver.ts';

type Files = InstanceSpec['files'];

export interface CopiedFilesOptions {
  /** Unpacks a tar below the root of a container. Rejects with `RuntimeError`. */
  readonly write: (id: string, tar: Readable) => Promise<void>;
  /** Folders of this machine that such files lie in: nothing else goes into a container that is found. */
  readonly folders: readonly string[];
  /** Milliseconds between two looks whether they changed. */
  readonly everyMs: number;
}

/**
 * Files of instances of an engine on another machine, which cannot mount what lies on this one: they are copied
 * into the container before it starts, and again when they change. There, its root could write to them.
 */
export class CopiedFiles {
  readonly #options: CopiedFilesOptions;
  readonly #kept = new Map<string, { readonly files: Files; copied: string; busy: boolean }>();
  readonly #timer: NodeJS.Timeout;

  constructor(options: CopiedFilesOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.#refresh(), options.everyMs).unref();
  }

  /** Into one that was just made. */
  async put(id: string, files: Files): Promise<void> {
    if (files.length === 0) return;
    this.#kept.set(id, { files, copied: '', busy: false });
    await this.#copy(id);
  }

  /**
   * One that is found there, as by an earlier process: what it has is not known. Its label says what belongs into
   * it, and whoever commands the engine may have written that: not to be given other files of this machine.
   */
  follow(id: string, files: Files): void {
    if (files.length === 0 || this.#kept.has(id)) return;
    const below = (source: string) =>
      this.#options.folders.some((folder) =>
        resolve(source).startsWith(`${resolve(folder)}${sep}`),
      );
    if (!files.every(({ source }) => below(source))) return;
    this.#kept.set(id, { files, copied: '', busy: false });
    void this.#copy(id).catch(() => {});
  }

  /** It ended, or is gone. */
  forget(id: string): void {
    this.#kept.delete(id);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#kept.clear();
  }

  /** One after the other: it is seldom that any changes. Files that are gone were of one that was removed. */
  async #refresh(): Promise<void> {
    for (const id of [...this.#kept.keys()]) {
      await this.#copy(id).catch((error: RuntimeError | NodeJS.ErrnoException) => {
        const gone =
          'failure' in error ? error.failure === 'no-such-instance' : error.code === 'ENOENT';
        if (gone) this.#kept.delete(id);
      });
    }
  }

  /** Does nothing where it has the present ones. */
  async #copy(id: string): Promise<void> {
    const kept = this.#kept.get(id);
    if (!kept || kept.busy) return;
    kept.busy = true;
    try {
      const entries = await readAll(kept.files);
      const present = fingerprintOf(entries);
      if (present === kept.copied) return;
      await this.#options.write(id, Readable.from([await tarOf(entries)]));
      kept.copied = present;
    } finally {
      kept.busy = false;
    }
  }
}

interface Entry {
  /** In the container, without the first slash; a folder's ends with one. */
  readonly name: string;
  readonly mode: number;
  readonly bytes: Buffer;
}

/** A folder with the files that lie in it. What begins with a dot is being written. */
async function readAll(files: Files): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (const { path, source } of files) {
    const name = path.slice(1);
    const found = await stat(source);
    if (!found.isDirectory()) {
      entries.push({ name, mode: found.mode & 0o777, bytes: await readFile(source) });
      continue;
    }
    entries.push({ name: `${name}/`, mode: 0o755, bytes: Buffer.alloc(0) });
    for (const file of (await readdir(source)).sort()) {
      if (file.startsWith('.')) continue;
      const at = join(source, file);
      const [{ mode }, bytes] = await Promise.all([stat(at), readFile(at)]);
      entries.push({ name: `${name}/${file}`, mode: mode & 0o777, bytes });
    }
  }
  return entries;
}

function fingerprintOf(entries: readonly Entry[]): string {
  const hash = createHash('sha256');
  for (const { name, mode, bytes } of entries)
    hash.update(`${name}\0${mode}\0${bytes.length}\0`).update(bytes);
  return hash.digest('hex');
}

async function tarOf(entries: readonly Entry[]): Promise<Buffer> {
  const tar = pack();
  for (const { name, mode, bytes } of entries) {
    if (name.endsWith('/')) tar.entry({ name, mode, type: 'directory' });
    else tar.entry({ name, mode }, bytes);
  }
  tar.finalize();
  const parts: Buffer[] = [];
  for await (const part of tar) parts.push(part as Buffer);
  return Buffer.concat(parts);
}
