const BYTES = /^(\d+(?:\.\d+)?)\s*(B|KB|MB|GB|TB|KiB|MiB|GiB|TiB)?$/;
const BYTE_UNITS: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

/** Bytes of `500MB` (powers of 1000), `64MiB` (powers of 1024) or `1048576`; undefined where it is none of them. */
export function parseBytes(text: string): number | undefined {
  return scaled(BYTES.exec(text), BYTE_UNITS, 'B');
}

const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;
const DURATION_UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Milliseconds of `500ms`, `30s`, `5m`, `24h` or `7d`; undefined where it is none of them. */
export function parseDuration(text: string): number | undefined {
  return scaled(DURATION.exec(text), DURATION_UNITS, 'ms');
}

function scaled(
  match: RegExpExecArray | null,
  units: Readonly<Record<string, number>>,
  base: string,
): number | undefined {
  if (!match?.[1]) return undefined;
  const value = Math.round(Number(match[1]) * (units[match[2] ?? base] ?? Number.NaN));
  return Number.isSafeInteger(value) ? value : undefined;
}
