/** JSON Schema of one setting, with annotations of our own for people and two checks of texts with units. */
export interface SettingSchema {
  readonly type: 'string' | 'integer' | 'boolean' | 'array';
  readonly description: string;
  /** Completes the sentence `allowed: …`. */
  readonly allowed: string;
  /** A value to copy, as the environment has it. */
  readonly example: string;
  /** What holds where there is no fixed default. */
  readonly absent?: string;
  /** Its value is never printed. */
  readonly secret?: boolean;
  readonly default?: string | number | boolean | readonly string[];
  readonly enum?: readonly string[];
  readonly format?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly items?: { readonly type: 'string'; readonly format: string };
  /** Least and most, milliseconds. Value: `30s`, `5m`, `24h`. */
  readonly duration?: readonly [number, number];
  /** Least and most, bytes. Value: `500MB`, `64MiB`. */
  readonly bytes?: readonly [number, number];
}

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

export const text = { type: 'string' } as const;
export const flag = {
  type: 'boolean',
  allowed: 'on or off (also true, false, yes, no, 1, 0)',
} as const;
export const list = { type: 'array' } as const;
export const duration = (least: number, most: number, range: string) =>
  ({
    ...text,
    duration: [least, most],
    allowed: `a time with its unit (ms, s, m, h, d), ${range}`,
  }) as const;
export const bytes = (least: number, most: number, range: string) =>
  ({
    ...text,
    bytes: [least, most],
    allowed: `a size such as 500MB, 20GB or 64MiB (KB, MB, GB: powers of 1000; KiB, MiB, GiB: of 1024), ${range}`,
  }) as const;
