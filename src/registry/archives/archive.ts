import type { Readable } from 'node:stream';
import { parseBoundedJson } from '../../oci/bounded-json.ts';
import type { Digest } from '../../oci/digest.ts';
import { type RegistryError, refuse } from '../../oci/errors.ts';
import { quote } from '../../oci/quote.ts';
import type { SpoolFile } from './spool.ts';
import type { Entries, Entry } from './tar-index.ts';

const mostLinks = 8;
const maxDepth = 64;

export type ArchiveFile = Extract<Entry, { type: 'file' }>;

/** A received archive: its files by name, read from where they lie. */
export class Archive {
  readonly #file: SpoolFile;
  readonly #entries: Entries;

  constructor(file: SpoolFile, entries: Entries) {
    this.#file = file;
    this.#entries = entries;
  }

  /** How many names lie under `folder/`. */
  count(folder: string): number {
    return [...this.#entries.keys()].filter((name) => name.startsWith(`${folder}/`)).length;
  }

  /** The file of that name, or what its links lead to. Throws `invalid` where more than one has the name. */
  find(name: string): ArchiveFile | undefined {
    let key = name.replace(/^(?:\.\/)+/, '');
    for (let link = 0; link <= mostLinks; link++) {
      const entry = this.#entries.get(key);
      if (!entry) return undefined;
      if (entry.type === 'file') {
        if (!entry.repeated) return entry;
        throw unreadable(name, 'is in the archive more than once');
      }
      key = entry.target;
    }
    throw unreadable(name, 'is a link that leads nowhere');
  }

  /** Throws `invalid` where it has more than `limit` bytes. */
  async read(name: string, file: ArchiveFile, limit: number): Promise<Buffer> {
    if (file.size > limit) {
      throw unreadable(name, `has ${file.size} bytes, more than the ${limit} that are allowed`);
    }
    return this.#file.read(file.offset, file.size);
  }

  /** Undefined: there is no such file. Throws `invalid` where it is no JSON. */
  async readJson(name: string, limit: number): Promise<unknown> {
    const file = this.find(name);
    if (!file) return undefined;
    const json = parseBoundedJson(await this.read(name, file, limit), maxDepth);
    if (!json.ok) throw unreadable(name, json.problem);
    return json.value;
  }

  open({ offset, size }: ArchiveFile): Readable {
    return this.#file.stream(offset, size);
  }
}

/** Where an OCI layout keeps what has this digest (image-spec, image-layout.md, "Blobs"). */
export function blobName(digest: Digest): string {
  return `blobs/${digest.replace(':', '/')}`;
}

export function unreadable(name: string, problem: string): RegistryError {
  return refuse(
    'invalid',
    `In the archive, ${quote(name)} ${problem}.`,
    'Make the archive anew with docker save, or with a tool that writes OCI layouts.',
  );
}
