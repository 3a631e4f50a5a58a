import { type PriceName, parsePrice, priceNames } from './price-setting.ts';
import { DAY, duration, HOUR, list, MINUTE, type SettingSchema, text } from './setting-schema.ts';
import { parseDuration } from './units.ts';

/** Settings of what is kept of functions: logs, requests, use and its prices. */
export const recordSettings = {
  logRetention: {
    ...duration(MINUTE, 3650 * DAY, 'from 1m to 3650d'),
    default: '7d',
    description: "How long functions' log lines, requests and cold starts are kept.",
    example: '30d',
  },
  logLimit: {
    type: 'integer',
    minimum: 1000,
    maximum: 100_000_000,
    default: 100_000,
    description:
      'How many log lines, how many requests and how many cold starts a project keeps at most; the oldest go first.',
    allowed: 'a whole number from 1000 to 100000000',
    example: '1000000',
  },
  logRate: {
    type: 'integer',
    minimum: 1,
    maximum: 100_000,
    default: 500,
    description:
      'Log lines a second of one instance, after four times as many at once. What is over it is dropped, and a line says so.',
    allowed: 'a whole number from 1 to 100000',
    example: '2000',
  },
  usageRetention: {
    ...duration(HOUR, 36_500 * DAY, 'from 1h to 36500d'),
    default: '400d',
    description: 'How long metering events are kept: bills of older days are empty.',
    example: '3650d',
  },
  prices: {
    ...list,
    items: { type: 'string', format: 'price' },
    default: [],
    description:
      'What use costs; what is not named costs nothing. A change holds from its day (UTC) on: bills of days before stay. GB are of 2^30 bytes, a month is 30 days.',
    allowed: `name=price with at most six decimals, separated by commas; names: ${priceNames.join(', ')}`,
    example: 'activeCpuHour=0.128,memoryGbHour=0.0106,millionInvocations=0.60',
  },
  currency: {
    ...text,
    enum: ['USD', 'EUR', 'GBP', 'CHF', 'JPY', 'CNY', 'INR'],
    default: 'USD',
    description: 'The currency of the prices.',
    allowed: 'USD, EUR, GBP, CHF, JPY, CNY or INR',
    example: 'EUR',
  },
} as const satisfies Record<string, SettingSchema>;

/** What the schema lets through of these, as texts. */
export interface GivenRecordSettings {
  readonly logRetention: string;
  readonly logLimit: number;
  readonly logRate: number;
  readonly usageRetention: string;
  readonly prices: readonly string[];
  readonly currency: string;
}

export interface RecordsConfig {
  /** Milliseconds that lines, requests and cold starts are kept, and how many of each a project keeps. */
  readonly logRetention: number;
  readonly logLimit: number;
  /** Lines a second of one instance. */
  readonly logRate: number;
  readonly usageRetention: number;
  /** In millionths of the currency. */
  readonly prices: { readonly currency: string } & { readonly [name in PriceName]: number };
}

export function recordsConfig(s: GivenRecordSettings): RecordsConfig {
  const given = new Map(s.prices.map((text) => parsePrice(text)!).map((p) => [p.name, p.micros]));
  return {
    logRetention: parseDuration(s.logRetention)!,
    logLimit: s.logLimit,
    logRate: s.logRate,
    usageRetention: parseDuration(s.usageRetention)!,
    prices: {
      currency: s.currency,
      activeCpuHour: given.get('activeCpuHour') ?? 0,
      memoryGbHour: given.get('memoryGbHour') ?? 0,
      millionInvocations: given.get('millionInvocations') ?? 0,
      pullGbHour: given.get('pullGbHour') ?? 0,
      storageGbMonth: given.get('storageGbMonth') ?? 0,
    },
  };
}
