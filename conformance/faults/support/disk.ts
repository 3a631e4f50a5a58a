import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Random } from './random.ts';

/** A change of a file's bytes that is not known to be on the disk. */
type Edit = { readonly at: number } & (
  | { readonly offset: number; readonly data: Buffer }
  | { readonly size: number }
);

/** A change of a folder's entries; a rename is one. */
interface Naming {
  readonly at: number;
  readonly removed: readonly string[];
  readonly added: readonly (readonly [name: string, node: DiskNode])[];
}

export type DiskNode = DiskFile | DiskFolder;

/** A page of the kernel's cache: what a disk takes at once. */
const page = 4096;

/** A file as it is on the disk, and what was done to it since. */
export class DiskFile {
  /** What it held when the recording began. */
  readonly #base: string | undefined;
  #settled: Edit[] = [];
  #pending: Edit[] = [];

  constructor(base?: string) {
    this.#base = base;
  }

  edit(edit: Edit): void {
    this.#pending.push(edit);
  }

  /** What was done before that moment is on the disk. */
  sync(began: number): void {
    this.#settled.push(...this.#pending.filter(({ at }) => at < began));
    this.#pending = this.#pending.filter(({ at }) => at >= began);
  }

  /** The system happened to write some of the rest, too, in pages and in any order. */
  keepSome(random: Random): void {
    for (const edit of this.#pending) {
      if ('size' in edit) {
        if (random.chance(0.5)) this.#settled.push(edit);
        continue;
      }
      const { at, offset, data } = edit;
      for (let start = 0; start < data.length; ) {
        const stop = Math.min(data.length, start + page - ((offset + start) % page));
        if (random.chance(0.5)) {
          this.#settled.push({ at, offset: offset + start, data: data.subarray(start, stop) });
        }
        start = stop;
      }
    }
    this.#pending = [];
  }

  write(path: string): void {
    if (this.#base !== undefined && this.#settled.length === 0) copyFileSync(this.#base, path);
    else writeFileSync(path, this.#content());
  }

  #content(): Buffer {
    const before = this.#base === undefined ? Buffer.alloc(0) : readFileSync(this.#base);
    const most = this.#settled.reduce(
      (size, edit) => Math.max(size, 'size' in edit ? edit.size : edit.offset + edit.data.length),
      before.length,
    );
    const bytes = Buffer.alloc(most);
    let size = before.copy(bytes);
    for (const edit of this.#settled) {
      if ('size' in edit) {
        bytes.fill(0, Math.min(size, edit.size));
        size = edit.size;
      } else {
        edit.data.copy(bytes, edit.offset);
        size = Math.max(size, edit.offset + edit.data.length);
      }
    }
    return bytes.subarray(0, size);
  }
}

/** A folder's entries as they are on the disk, as the program sees them, and what was done in between. */
export class DiskFolder {
  readonly #settled = new Map<string, DiskNode>();
  readonly #live = new Map<string, DiskNode>();
  #pending: Naming[] = [];

  static read(path: string): DiskFolder {
    const folder = new DiskFolder();
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      const inside = join(path, entry.name);
      const node = entry.isDirectory() ? DiskFolder.read(inside) : new DiskFile(inside);
      folder.#settled.set(entry.name, node);
      folder.#live.set(entry.name, node);
    }
    return folder;
  }

  get(name: string): DiskNode | undefined {
    return this.#live.get(name);
  }

  add(at: number, name: string, node: DiskNode): void {
    this.#name({ at, removed: [], added: [[name, node]] });
  }

  remove(at: number, name: string): void {
    this.#name({ at, removed: [name], added: [] });
  }

  rename(at: number, from: string, to: string): void {
    const node = this.#live.get(from);
    if (!node) throw new Error(`the journal renames ${from}, which is not there`);
    this.#name({ at, removed: [from], added: [[to, node]] });
  }

  sync(began: number): void {
    for (const naming of this.#pending) if (naming.at < began) apply(this.#settled, naming);
    this.#pending = this.#pending.filter(({ at }) => at >= began);
  }

  /** File systems keep the order of names, so what they happened to write is a first part. */
  keepSome(random: Random): void {
    this.sync(this.#pending[random.whole(0, this.#pending.length)]?.at ?? Number.POSITIVE_INFINITY);
    for (const node of this.#settled.values()) node.keepSome(random);
  }

  /** Puts what the disk holds into a new folder. */
  write(path: string): void {
    mkdirSync(path);
    for (const [name, node] of this.#settled) node.write(join(path, name));
  }

  #name(naming: Naming): void {
    apply(this.#live, naming);
    this.#pending.push(naming);
  }
}

function apply(entries: Map<string, DiskNode>, { removed, added }: Naming): void {
  for (const name of removed) entries.delete(name);
  for (const [name, node] of added) entries.set(name, node);
}
