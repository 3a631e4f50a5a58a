import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatBytes } from './format-bytes.ts';

for (const [bytes, text] of [
  [0, '0 bytes'],
  [1, '1 byte'],
  [999, '999 bytes'],
  [1e6, '1 MB'],
  [500e6, '500 MB'],
  [500e6 + 1, '500.1 MB'],
  [20e9, '20 GB'],
  [15e9, '15 GB'],
  [4 * 2 ** 20, '4 MiB'],
  [4 * 2 ** 20 + 1, '4.2 MB'],
  [1024, '1.1 KB'],
  [2e15, '2000.0 TB'],
] as const) {
  test(`${bytes} is ${text}`, () => assert.equal(formatBytes(bytes), text));
}
