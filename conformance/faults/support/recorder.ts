import { execFile } from 'node:child_process';
import { cpSync, existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type JournalRecord, readJournal } from './journal.ts';
import { cutPower, type Spared } from './power-cut.ts';

const run = promisify(execFile);
const source = join(import.meta.dirname, '..', 'drop-unsynced.c');

/** Builds the recorder into `folder`; a sentence where it cannot be built here. */
export async function buildRecorder(folder: string): Promise<{ library: string } | string> {
  if (process.platform !== 'linux') return 'the recorder of writes is made for Linux';
  const library = join(folder, 'drop-unsynced.so');
  const flags = ['-Wall', '-Wextra', '-Werror', '-O2', '-shared', '-fPIC'];
  try {
    await run('gcc', [...flags, '-o', library, source, '-ldl', '-lpthread']);
    return { library };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'there is no gcc here';
    throw error;
  }
}

/** Records what servers do to a data folder, from a copy on, and makes of it what a power cut leaves. */
export class Recorder {
  readonly #library: string;
  readonly #data: string;
  readonly #before: string;
  readonly #journal: string;

  /** `data` must be free of symbolic links, and lie in a folder where its companions may be made. */
  constructor(library: string, data: string) {
    this.#library = library;
    this.#data = data;
    this.#before = `${data}.before`;
    this.#journal = `${data}.journal`;
  }

  /** Begins anew; the environment for the next server. `ignore` and `killAt`: see drop-unsynced.c. */
  begin(options: { ignore?: string; killAt?: number } = {}): Record<string, string> {
    this.#clear();
    cpSync(this.#data, this.#before, { recursive: true, preserveTimestamps: true });
    return {
      LD_PRELOAD: this.#library,
      RECORD_ROOT: this.#data,
      RECORD_JOURNAL: this.#journal,
      // libuv would write past the C library.
      UV_USE_IO_URING: '0',
      ...(options.ignore && { RECORD_IGNORE: options.ignore }),
      ...(options.killAt && { RECORD_KILL_AT: String(options.killAt) }),
    };
  }

  /** The server has been killed: the folder becomes what a power cut at that moment would have left. */
  cut(spared: Spared): void {
    const after = `${this.#data}.after`;
    this.replay(after, spared);
    rmSync(this.#data, { recursive: true });
    renameSync(after, this.#data);
    this.#clear();
  }

  /** Writes what the folder would be to `after`. */
  replay(after: string, spared: Spared): void {
    cutPower(this.#before, this.#records(), after, spared);
  }

  /** Records since `begin`. */
  count(): number {
    return this.#records().length;
  }

  #records(): JournalRecord[] {
    return existsSync(this.#journal) ? readJournal(this.#journal) : [];
  }

  #clear(): void {
    rmSync(this.#before, { recursive: true, force: true });
    rmSync(this.#journal, { force: true });
  }
}
