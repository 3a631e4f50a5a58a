const decimal: readonly [number, string][] = [
  [1e12, 'TB'],
  [1e9, 'GB'],
  [1e6, 'MB'],
  [1e3, 'KB'],
];
const binary: readonly [number, string][] = [
  [2 ** 30, 'GiB'],
  [2 ** 20, 'MiB'],
];

/**
 * Bytes for people: `500 MB`, `4 MiB`, `512 bytes`. What is not whole in its unit is rounded up to one
 * digit, so that a size over a limit never reads like the limit.
 */
export function formatBytes(bytes: number): string {
  for (const [unit, name] of [...decimal, ...binary]) {
    if (bytes >= unit && bytes % unit === 0) {
      const count = bytes / unit;
      if (count < 1000) return `${count} ${name}`;
    }
  }
  const fit = decimal.find(([unit]) => bytes >= unit);
  if (!fit) return bytes === 1 ? '1 byte' : `${bytes} bytes`;
  const [unit, name] = fit;
  return `${(Math.ceil((bytes / unit) * 10) / 10).toFixed(1)} ${name}`;
}
