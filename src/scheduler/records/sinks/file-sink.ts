import { appendFile, mkdir, readdir, rename, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { jsonOf, type LogSink, type SentLine } from './sink.ts';

export interface FileSinkOptions {
  /** Of the project; made where it is missing. */
  readonly folder: string;
  readonly name: string;
  /** A file that has so many bytes becomes `<name>.1`, that one `<name>.2`, …, and the last one goes. */
  readonly rotateBytes: number;
  readonly files: number;
  /** Names in the folder. */
  readonly mostNames: number;
  readonly dropped: (count: number, why: string) => void;
}

/** One plain part of a path: no folder, nothing hidden, nothing that rotation makes. */
export const isFileSinkName = (name: string): boolean =>
  /^[A-Za-z0-9][A-Za-z0-9_-]{0,62}(?:\.[A-Za-z][A-Za-z0-9_-]{0,15})?$/.test(name);

const mostWaiting = 10_000;

/** JSON Lines in a file, rotated: `<folder>/<name>`, `<name>.1` … */
export class FileSink implements LogSink {
  readonly #options: FileSinkOptions;
  #waiting: SentLine[] = [];
  #writing: Promise<void> | undefined;
  #size: number | undefined;

  constructor(options: FileSinkOptions) {
    this.#options = options;
  }

  send(line: SentLine): void {
    if (this.#waiting.length >= mostWaiting) {
      this.#options.dropped(1, 'the disk is slow');
      return;
    }
    this.#waiting.push(line);
    this.#writing ??= this.#run();
  }

  async close(): Promise<void> {
    await this.#writing;
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const lines = this.#waiting;
      this.#waiting = [];
      await this.#write(lines.map((line) => `${jsonOf(line)}\n`).join('')).catch((cause) =>
        this.#options.dropped(lines.length, String(cause)),
      );
    }
    this.#writing = undefined;
  }

  async #write(text: string): Promise<void> {
    const { folder, name, rotateBytes } = this.#options;
    const path = join(folder, name);
    this.#size ??= await this.#open(path);
    if (this.#size > 0 && this.#size + text.length > rotateBytes) {
      await this.#rotate(path);
      this.#size = 0;
    }
    await appendFile(path, text, { mode: 0o600 });
    this.#size += Buffer.byteLength(text);
  }

  async #open(path: string): Promise<number> {
    const { folder, name, mostNames } = this.#options;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const names = new Set((await readdir(folder)).map((file) => file.replace(/\.\d+$/, '')));
    if (!names.has(name) && names.size >= mostNames) {
      throw new Error(`the project has ${names.size} log files already`);
    }
    return stat(path).then(
      ({ size }) => size,
      () => 0,
    );
  }

  async #rotate(path: string): Promise<void> {
    const { files } = this.#options;
    const ignoreAbsent = (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    };
    await unlink(`${path}.${files - 1}`).catch(ignoreAbsent);
    for (let n = files - 2; n >= 1; n--) {
      await rename(`${path}.${n}`, `${path}.${n + 1}`).catch(ignoreAbsent);
    }
    await rename(path, `${path}.1`).catch(ignoreAbsent);
  }
}
