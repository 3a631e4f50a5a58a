import { DiskFile, DiskFolder, type DiskNode } from './disk.ts';
import type { JournalRecord } from './journal.ts';
import type { Random } from './random.ts';

/** What of the things that were not synced a power cut spares. */
export type Spared = 'nothing' | 'everything' | Random;

/**
 * Writes to `after`, which must not exist, what a power cut leaves of a folder: `before` is a copy of it from
 * the time when the recording began, `records` what was done since.
 *
 * As strict as POSIX lets a file system be. A file's bytes are on the disk when fsync or fdatasync of it
 * has ended, as they were when it began; its name is, when fsync of its folder has ended. (ext4 and others
 * bring a new file's name along with the file, and keep the order of names and of some bytes: no use is made
 * of it.) SQLite needs no leniency: it syncs the folder when it has made its journal or its log.
 */
export function cutPower(
  before: string,
  records: readonly JournalRecord[],
  after: string,
  spared: Spared,
): void {
  const replay = new Replay(DiskFolder.read(before));
  for (const [at, record] of records.entries()) replay.take(at, record);
  const { root } = replay;
  if (spared === 'everything') replay.syncAll(records.length);
  else if (spared !== 'nothing') root.keepSome(spared);
  root.write(after);
}

class Replay {
  readonly root: DiskFolder;
  readonly #handles = new Map<number, DiskNode>();
  readonly #begun = new Map<number, number>();
  readonly #all: Set<DiskNode>;

  constructor(root: DiskFolder) {
    this.root = root;
    this.#all = new Set([root]);
  }

  take(at: number, record: JournalRecord): void {
    switch (record.kind) {
      case 'opened':
        this.#opened(at, record);
        break;
      case 'written':
        this.#file(record.handle).edit({ at, offset: record.offset, data: record.data });
        break;
      case 'truncated':
        this.#file(record.handle).edit({ at, size: record.size });
        break;
      case 'syncBegun':
        this.#begun.set(record.ticket, at);
        break;
      case 'syncEnded':
        this.#handles.get(record.handle)!.sync(this.#begun.get(record.ticket)!);
        break;
      case 'folderMade':
        this.#add(at, record.path, new DiskFolder());
        break;
      case 'unlinked':
      case 'folderRemoved': {
        const { folder, name } = this.#place(record.path);
        folder.remove(at, name);
        break;
      }
      case 'renamed': {
        const from = this.#place(record.from);
        const to = this.#place(record.to);
        if (from.folder !== to.folder) throw new Error(`renamed to another folder: ${record.to}`);
        from.folder.rename(at, from.name, to.name);
        break;
      }
    }
  }

  syncAll(at: number): void {
    for (const node of this.#all) node.sync(at);
  }

  #opened(at: number, record: Extract<JournalRecord, { kind: 'opened' }>): void {
    if (record.made) this.#add(at, record.path, new DiskFile());
    const node = record.path === '' ? this.root : this.#find(record.path);
    if (record.emptied && node instanceof DiskFile) node.edit({ at, size: 0 });
    this.#all.add(node);
    this.#handles.set(record.handle, node);
  }

  #add(at: number, path: string, node: DiskNode): void {
    const { folder, name } = this.#place(path);
    folder.add(at, name, node);
    this.#all.add(node);
    this.#all.add(folder);
  }

  #find(path: string): DiskNode {
    const { folder, name } = this.#place(path);
    const node = folder.get(name);
    if (!node) throw new Error(`the journal opens ${path}, which is not there`);
    return node;
  }

  #place(path: string): { folder: DiskFolder; name: string } {
    const names = path.split('/');
    const name = names.pop()!;
    let folder: DiskNode | undefined = this.root;
    for (const each of names) folder = folder instanceof DiskFolder ? folder.get(each) : undefined;
    if (!(folder instanceof DiskFolder)) throw new Error(`the journal has no folder for ${path}`);
    return { folder, name };
  }

  #file(handle: number): DiskFile {
    const node = this.#handles.get(handle);
    if (!(node instanceof DiskFile)) throw new Error(`handle ${handle} is no file`);
    return node;
  }
}
