import type { Awaitable } from './awaitable.ts';
import type {
  ColdStart,
  FunctionLogLine,
  MeteringEvent,
  RequestRecord,
} from './commands-functions.ts';

export interface RecordScope {
  readonly projectId: string;
  readonly deploymentId?: string | undefined;
  readonly service?: string | undefined;
  readonly instanceId?: string | undefined;
}

/** `before` an id (undefined: the end): newest first. `after` an id: oldest first. */
export type RecordPlace = { readonly before: string | undefined } | { readonly after: string };

/** What functions did: their lines, requests, starts and use. */
export interface FunctionRecords {
  /** Of one request: those of its instance that it was in flight for. */
  lines(
    scope: RecordScope & { readonly requestId?: string | undefined },
    place: RecordPlace,
    limit: number,
  ): Awaitable<FunctionLogLine[]>;
  requests(
    scope: RecordScope,
    before: string | undefined,
    limit: number,
  ): Awaitable<RequestRecord[]>;
  request(projectId: string, id: string): Awaitable<RequestRecord | undefined>;
  /** Newest first, before `before`, not before `since` (UTC milliseconds). */
  coldStarts(
    scope: RecordScope & { readonly since?: number | undefined },
    before: ColdStartPlace | undefined,
    limit: number,
  ): Awaitable<ColdStart[]>;
  /** Events of a project's day (`2026-11-21`), by service, kind and id, after one of them. */
  usage(
    scope: { readonly projectId: string; readonly day: string },
    after: UsagePlace | undefined,
    limit: number,
  ): Awaitable<MeteringEvent[]>;
  /** Sums of them by UTC day, service and kind, in that order; both days are in it. */
  usageByDay(scope: {
    readonly projectId: string;
    readonly firstDay: string;
    readonly lastDay: string;
  }): Awaitable<UsageOfDay[]>;
  /** Bytes that each project that stores something stores now. */
  storedByProject(): Awaitable<{ readonly projectId: string; readonly bytes: number }[]>;
  /** Every price table that there was, oldest first. */
  priceTables(): Awaitable<PriceTable[]>;
}

export interface ColdStartPlace {
  readonly at: number;
  readonly instanceId: string;
}

export interface UsagePlace {
  readonly service: string;
  readonly kind: string;
  readonly id: string;
}

/** Sums may pass 2^53. */
export interface UsageOfDay {
  /** `2026-11-21`, UTC. */
  readonly day: string;
  readonly service: string;
  readonly kind: MeteringEvent['kind'];
  readonly activeCpuMs: bigint;
  readonly memoryMbMs: bigint;
  readonly invocations: bigint;
  readonly events: number;
}

/** What use costs, in millionths of the currency (integers). GB are of 2^30 bytes, a month is 30 days. */
export interface Prices {
  /** Such as `USD`. */
  readonly currency: string;
  /** Of one core. */
  readonly activeCpuHour: number;
  readonly memoryGbHour: number;
  readonly millionInvocations: number;
  readonly pullGbHour: number;
  readonly storageGbMonth: number;
}

/** Prices from a day on (`2026-11-21`; empty: from the beginning), until those of the next table. */
export interface PriceTable {
  readonly fromDay: string;
  readonly prices: Prices;
}

/** `2026-11-21` of a moment, UTC. */
export const dayOf = (milliseconds: number): string =>
  new Date(milliseconds).toISOString().slice(0, 10);

/** The least id of `prefix` that is made at this moment or later: ids begin with their time (UUIDv7). */
export const firstIdAt = (prefix: string, milliseconds: number): string =>
  `${prefix}_${Math.max(0, Math.floor(milliseconds)).toString(16).padStart(12, '0')}`;
