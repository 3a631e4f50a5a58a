/** Pure arithmetic of IPv4 ranges: a pool of small subnets out of one range. */

/** `base` is the lowest address, as an unsigned number. */
export interface Range4 {
  readonly base: number;
  readonly bits: number;
}

/** Undefined where the text is not `a.b.c.d/n` with no bit set beyond `n`. */
export function parseRange4(text: string): Range4 | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(text);
  if (!match) return undefined;
  const [a, b, c, d, bits] = match.slice(1).map(Number) as [number, number, number, number, number];
  if (a > 255 || b > 255 || c > 255 || d > 255 || bits > 32) return undefined;
  const base = a * 2 ** 24 + b * 2 ** 16 + c * 2 ** 8 + d;
  return base % sizeOf(bits) === 0 ? { base, bits } : undefined;
}

export function formatRange4(range: Range4): string {
  return `${formatAddress4(range.base)}/${range.bits}`;
}

export function formatAddress4(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');
}

export function overlaps(a: Range4, b: Range4): boolean {
  return a.base < b.base + sizeOf(b.bits) && b.base < a.base + sizeOf(a.bits);
}

/** How many subnets of that size the pool has. */
export function subnetCount(pool: Range4, bits: number): number {
  return bits < pool.bits ? 0 : 2 ** (bits - pool.bits);
}

export function subnetAt(pool: Range4, bits: number, index: number): Range4 {
  return { base: pool.base + index * sizeOf(bits), bits };
}

/** Addresses for containers: all but the network's, the broadcast's and the gateway's. */
export function placesOf(bits: number): number {
  return Math.max(0, sizeOf(bits) - 3);
}

/** The first free subnet from the index on, round the pool; undefined: there is none. */
export function firstFree(
  pool: Range4,
  bits: number,
  from: number,
  taken: readonly Range4[],
): Range4 | undefined {
  const count = subnetCount(pool, bits);
  const near = taken.filter((range) => overlaps(range, pool));
  for (let step = 0; step < count; step++) {
    const subnet = subnetAt(pool, bits, (from + step) % count);
    if (!near.some((range) => overlaps(range, subnet))) return subnet;
  }
  return undefined;
}

/**
 * Destinations of `/proc/net/route` that a subnet of the pool must not shadow. Those as wide as the pool or
 * wider are left out: the way to a whole private range still works for the rest of it. `gateways`: whether those
 * that lead through another machine count.
 */
export function routedRanges(
  procNetRoute: string,
  pool: Range4,
  { gateways }: { readonly gateways: boolean } = { gateways: true },
): Range4[] {
  const ranges: Range4[] = [];
  for (const line of procNetRoute.split('\n').slice(1)) {
    const fields = line.split('\t');
    const destination = littleEndian(fields[1]);
    const mask = littleEndian(fields[7]);
    if (destination === undefined || mask === undefined) continue;
    if (!gateways && Number.parseInt(fields[3] ?? '', 16) & gatewayFlag) continue;
    const bits = 32 - Math.log2(2 ** 32 - mask);
    if (bits > pool.bits && Number.isInteger(bits)) ranges.push({ base: destination, bits });
  }
  return ranges;
}

/** RTF_GATEWAY of the kernel's route.h. */
const gatewayFlag = 2;

function littleEndian(hex: string | undefined): number | undefined {
  return hex && /^[0-9A-F]{8}$/i.test(hex) ? Buffer.from(hex, 'hex').readUInt32LE() : undefined;
}

function sizeOf(bits: number): number {
  return 2 ** (32 - bits);
}
