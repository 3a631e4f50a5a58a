import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { type Agent, get } from 'node:http';

/** Resident bytes of a process: the most since `resetPeak`, or the start. */
export function peakResident(pid: number): number {
  return field(pid, 'VmHWM');
}

export function resident(pid: number): number {
  return field(pid, 'VmRSS');
}

/** proc(5), clear_refs: 5 makes the peak what is resident now. */
export function resetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

function field(pid: number, name: string): number {
  const match = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(
    readFileSync(`/proc/${pid}/status`, 'utf8'),
  );
  return Number(match![1]) * 1024;
}

const pieceBytes = 1 << 20;
/** More pieces than a client holds at once. */
const ring = 16;

/** Bytes that are made while they are sent, the same each time; no two blobs share a piece. */
export class LargeBlob {
  readonly size: number;
  readonly digest: string;
  readonly #name: number;
  readonly #base = randomBytes(pieceBytes);

  constructor(pieces: number, name: number) {
    this.size = pieces * pieceBytes;
    this.#name = name;
    const hash = createHash('sha256');
    for (const piece of this.#pieces()) hash.update(piece);
    this.digest = `sha256:${hash.digest('hex')}`;
  }

  async *stream(): AsyncGenerator<Buffer> {
    yield* this.#pieces();
  }

  *#pieces(): Generator<Buffer> {
    const buffers = Array.from({ length: ring }, () => Buffer.from(this.#base));
    for (let at = 0; at < this.size / pieceBytes; at++) {
      const piece = buffers[at % ring]!;
      piece.writeUInt32LE(this.#name, 0);
      piece.writeUInt32LE(at, 4);
      yield piece;
    }
  }
}

/** Reads a body to its end without keeping it; its digest. */
export function digestOfBody(url: string, authorization: string, agent: Agent): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  get(url, { agent, headers: { authorization } }, (answer) => {
    const hash = createHash('sha256');
    if (answer.statusCode !== 200) reject(new Error(`${url}: ${answer.statusCode}`));
    answer.on('data', (chunk: Buffer) => hash.update(chunk));
    answer.on('end', () => resolve(`sha256:${hash.digest('hex')}`));
    answer.on('error', reject);
  }).on('error', reject);
  return promise;
}
