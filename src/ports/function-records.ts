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

/** What functions did: their lines, requests, starts and use. Pages are newest first, before an id. */
export interface FunctionRecords {
  lines(
    scope: RecordScope & { readonly requestId?: string | undefined },
    before: string | undefined,
    limit: number,
  ): Awaitable<FunctionLogLine[]>;
  requests(
    scope: RecordScope,
    before: string | undefined,
    limit: number,
  ): Awaitable<RequestRecord[]>;
  request(projectId: string, id: string): Awaitable<RequestRecord | undefined>;
  /** Newest first, before `before` (UTC milliseconds). */
  coldStarts(scope: RecordScope, before: number | undefined, limit: number): Awaitable<ColdStart[]>;
  /** Events of a project that end in [from, to), oldest first, after an id. */
  usage(
    scope: { readonly projectId: string; readonly from: number; readonly to: number },
    after: string | undefined,
    limit: number,
  ): Awaitable<MeteringEvent[]>;
  /** Sums of them by UTC day, service and kind. */
  usageByDay(scope: {
    readonly projectId: string;
    readonly from: number;
    readonly to: number;
  }): Awaitable<UsageOfDay[]>;
}

export interface UsageOfDay {
  /** `2026-11-21`. */
  readonly day: string;
  readonly service: string;
  readonly kind: MeteringEvent['kind'];
  readonly activeCpuMs: number;
  readonly memoryMbMs: number;
  readonly invocations: number;
  readonly events: number;
}
