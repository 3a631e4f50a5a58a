import type { Row } from './bench.ts';
import { blobRows } from './rows/blobs.ts';
import { imageRows } from './rows/images.ts';
import { memoryRow } from './rows/memory.ts';
import { readRows } from './rows/reads.ts';
import { s3Rows } from './rows/s3.ts';
import { tagRows } from './rows/tags.ts';
import { workersRow } from './rows/workers.ts';

/** In the order in which they run. */
export const rows: readonly Row[] = [
  ...readRows,
  ...tagRows,
  ...imageRows,
  ...blobRows,
  // Last of those on the filesystem: it tells what the others have left behind.
  memoryRow,
  ...s3Rows,
  workersRow,
];
