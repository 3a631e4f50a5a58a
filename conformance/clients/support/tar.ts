/** Tar archives (POSIX ustar) with the same bytes for the same entries, whenever and wherever they are made. */

export interface TarEntry {
  readonly name: string;
  readonly bytes?: Uint8Array;
  /** A folder where there are no bytes, and 0755 where not given. */
  readonly mode?: number;
  /** User and group; root where not given. */
  readonly owner?: number;
}

const block = 512;

export function tar(entries: readonly TarEntry[]): Buffer {
  const parts: Buffer[] = [];
  for (const entry of entries) {
    const body = Buffer.from(entry.bytes ?? []);
    parts.push(
      header(entry, body.length),
      body,
      Buffer.alloc((block - (body.length % block)) % block),
    );
  }
  parts.push(Buffer.alloc(2 * block));
  return Buffer.concat(parts);
}

/** The files in an archive by name; folders and links are left out. */
export function untar(archive: Buffer): Map<string, Buffer> {
  const files = new Map<string, Buffer>();
  for (let at = 0; at + block <= archive.length && archive[at] !== 0; ) {
    const name = text(archive, at, 100);
    const prefix = text(archive, at + 345, 155);
    const size = Number.parseInt(text(archive, at + 124, 12), 8);
    const type = archive[at + 156];
    const start = at + block;
    if (type === 0 || type === 0x30) {
      files.set(prefix ? `${prefix}/${name}` : name, archive.subarray(start, start + size));
    }
    at = start + Math.ceil(size / block) * block;
  }
  return files;
}

function header(entry: TarEntry, size: number): Buffer {
  if (entry.name.length > 100) throw new Error(`the name ${entry.name} is too long for ustar`);
  const bytes = Buffer.alloc(block);
  bytes.write(entry.name, 0);
  bytes.write(octal(entry.mode ?? 0o755, 7), 100);
  bytes.write(octal(entry.owner ?? 0, 7), 108);
  bytes.write(octal(entry.owner ?? 0, 7), 116);
  bytes.write(octal(size, 11), 124);
  bytes.write(octal(0, 11), 136);
  bytes.write('        ', 148);
  bytes.write(entry.bytes ? '0' : '5', 156);
  bytes.write('ustar\0', 257);
  bytes.write('00', 263);
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  bytes.write(`${octal(sum, 6)}\0 `, 148);
  return bytes;
}

function octal(value: number, width: number): string {
  return value.toString(8).padStart(width, '0');
}

function text(bytes: Buffer, at: number, length: number): string {
  const end = bytes.indexOf(0, at);
  return bytes.toString('utf8', at, end < 0 || end > at + length ? at + length : end).trim();
}
