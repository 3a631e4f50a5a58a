import { readFileSync } from 'node:fs';

/** A record of conformance/faults/drop-unsynced.c. Its place in the list is its moment. */
export type JournalRecord =
  | {
      readonly kind: 'opened';
      readonly handle: number;
      readonly path: string;
      readonly made: boolean;
      readonly emptied: boolean;
    }
  | {
      readonly kind: 'written';
      readonly handle: number;
      readonly offset: number;
      readonly data: Buffer;
    }
  | { readonly kind: 'truncated'; readonly handle: number; readonly size: number }
  | { readonly kind: 'syncBegun' | 'syncEnded'; readonly handle: number; readonly ticket: number }
  | { readonly kind: 'unlinked' | 'folderMade' | 'folderRemoved'; readonly path: string }
  | { readonly kind: 'renamed'; readonly from: string; readonly to: string };

const magic = 0x4c4e524a;
const headBytes = 32;
const wasMade = 1;
const wasEmptied = 2;

/** Throws where the program made a call that the recorder does not understand. */
export function readJournal(file: string): JournalRecord[] {
  const bytes = readFileSync(file);
  const records: JournalRecord[] = [];
  for (let at = 0; at + headBytes <= bytes.length; ) {
    if (bytes.readUInt32LE(at) !== magic) throw new Error(`${file} is not a journal at byte ${at}`);
    const end = at + headBytes + Number(bytes.readBigUInt64LE(at + 24));
    // The process was killed while it wrote its last record: nobody was told of it.
    if (end > bytes.length) break;
    records.push(
      parse(
        bytes.readUInt32LE(at + 4),
        Number(bytes.readBigUInt64LE(at + 8)),
        Number(bytes.readBigUInt64LE(at + 16)),
        bytes.subarray(at + headBytes, end),
      ),
    );
    at = end;
  }
  return records;
}

function parse(kind: number, handle: number, number: number, data: Buffer): JournalRecord {
  const text = () => data.toString('utf8');
  switch (kind) {
    case 1: {
      const made = (number & wasMade) !== 0;
      return { kind: 'opened', handle, path: text(), made, emptied: (number & wasEmptied) !== 0 };
    }
    case 2:
      return { kind: 'written', handle, offset: number, data };
    case 3:
      return { kind: 'truncated', handle, size: number };
    case 4:
      return { kind: 'syncBegun', handle, ticket: number };
    case 5:
      return { kind: 'syncEnded', handle, ticket: number };
    case 6:
      return { kind: 'unlinked', path: text() };
    case 7:
      return { kind: 'folderMade', path: text() };
    case 8:
      return { kind: 'folderRemoved', path: text() };
    case 9: {
      const [from = '', to = ''] = text().split('\n');
      return { kind: 'renamed', from, to };
    }
    default:
      throw new Error(`the server changed files in a way that is not understood: ${text()}`);
  }
}
