/** What has a price, by the name that the setting has for it. */
export const priceNames = [
  'activeCpuHour',
  'memoryGbHour',
  'millionInvocations',
  'pullGbHour',
  'storageGbMonth',
] as const;
export type PriceName = (typeof priceNames)[number];

/** `name=price` with at most six decimals, in millionths of the currency; undefined where it is not that. */
export function parsePrice(given: string): { name: PriceName; micros: number } | undefined {
  const match = /^([A-Za-z]+)=(\d{1,9})(?:\.(\d{1,6}))?$/.exec(given);
  const name = priceNames.find((known) => known === match?.[1]);
  if (!match || !name) return undefined;
  return { name, micros: Number(match[2]) * 1_000_000 + Number((match[3] ?? '').padEnd(6, '0')) };
}
