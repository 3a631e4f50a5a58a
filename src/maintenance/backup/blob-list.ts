import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { type Digest, parseDigest } from '../../oci/digest.ts';
import { damaged } from './refusals.ts';

/** A blob that the facts name. */
export interface ListedBlob {
  readonly digest: Digest;
  readonly key: string;
  /** Bytes. */
  readonly size: number;
}

export function listLine({ digest, size, key }: ListedBlob): string {
  return `${digest} ${size} ${key}\n`;
}

/** Keys are parts of paths: no other text may become one. */
const keyPattern = /^[a-z]{1,16}_[0-9a-f-]{32,36}$/;

export async function readBlobList(path: string): Promise<ListedBlob[]> {
  const list: ListedBlob[] = [];
  for await (const line of createInterface({ input: createReadStream(path) })) {
    const [digest = '', size = '', key = ''] = line.split(' ');
    const parsed = parseDigest(digest);
    if (!parsed || !/^\d{1,15}$/.test(size) || !keyPattern.test(key)) {
      throw damaged(`line ${list.length + 1} of the list of blobs is none`);
    }
    list.push({ digest: parsed, size: Number(size), key });
  }
  return list;
}

export function bytesOf(blobs: readonly ListedBlob[]): number {
  return blobs.reduce((sum, { size }) => sum + size, 0);
}
