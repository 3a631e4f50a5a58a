import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Sink } from '../writer.ts';
import { translate } from './errors.ts';
import { FileOutput } from './file-output.ts';
import type { BlobPath } from './paths.ts';
import { removeFile } from './remove-file.ts';
import { syncFolder } from './sync-folder.ts';

/** How a file is made: a new key must not exist, for a file of that name may be a blob. */
export const makeNew = constants.O_EXCL;
/** The same for an upload of which nothing was recorded: what the file holds is dropped. */
export const makeAnew = constants.O_TRUNC;

/** One file. It is made at the first byte or at commit, so that opening an upload costs nothing. */
export class FileSink implements Sink {
  readonly #path: BlobPath;
  readonly #makeFlag: number;
  #output: FileOutput | undefined;
  #taken: number;
  #folderSync: Promise<void> | undefined;

  /** `output` writes to a file that holds `taken` bytes; without it the file is yet to be made, by `makeFlag`. */
  constructor(path: BlobPath, makeFlag: number, output?: FileOutput, taken = 0) {
    this.#path = path;
    this.#makeFlag = makeFlag;
    this.#output = output;
    this.#taken = taken;
  }

  take(chunk: Buffer): Promise<void> | undefined {
    this.#taken += chunk.length;
    if (this.#output) return this.#output.take(chunk);
    return this.#open().then((output) => output.take(chunk));
  }

  async flush(): Promise<void> {
    await this.#output?.flush();
  }

  async checkpoint(): Promise<string> {
    if (this.#output) await this.#sync(this.#output);
    return formatState(this.#taken);
  }

  async commit(): Promise<void> {
    const output = this.#output ?? (await this.#open());
    await this.#sync(output);
    await output.close();
  }

  interrupt(): void {
    // A write to a file ends by itself.
  }

  async free(): Promise<void> {
    await this.#folderSync?.catch(() => {});
    await this.#output?.close();
  }

  async remove(): Promise<void> {
    await removeFile(this.#path);
  }

  translate = translate;

  async #sync(output: FileOutput): Promise<void> {
    await output.sync();
    await this.#folderSync;
  }

  async #open(): Promise<FileOutput> {
    const flags = constants.O_WRONLY | constants.O_CREAT | this.#makeFlag;
    this.#output = new FileOutput(await open(this.#path.file, flags, 0o640), 0);
    // Begun here, so that it is long done at commit.
    this.#folderSync = syncFolder(this.#path.shardFolder);
    this.#folderSync.catch(() => {});
    return this.#output;
  }
}

function formatState(offset: number): string {
  return JSON.stringify({ offset });
}

/** The offset in a state that `checkpoint` gave, or undefined where it gave none such. */
export function parseState(state: string): number | undefined {
  try {
    const { offset } = JSON.parse(state) as { offset?: unknown };
    return Number.isSafeInteger(offset) && (offset as number) >= 0 ? (offset as number) : undefined;
  } catch {
    return undefined;
  }
}
