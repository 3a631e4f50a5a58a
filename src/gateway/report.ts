import type { InstanceLease, RequestObserver } from '../scheduler/activation.ts';
import type { Placed } from './upstream-request.ts';

export interface Ended {
  readonly id: string;
  /** UTC milliseconds. */
  readonly at: number;
  /** By `performance.now()`. */
  readonly began: number;
  readonly status: number;
  readonly error: string | undefined;
  readonly firstByteMs: number;
  readonly requestBytes: number;
  readonly responseBytes: number;
}

/** Tells of a request's end. One that never had a target is nobody's. */
export function reportEnd(
  observer: RequestObserver,
  placed: Placed | undefined,
  lease: InstanceLease | undefined,
  { id, began, ...ended }: Ended,
): void {
  if (!placed) return;
  const { method, host, path } = placed.request;
  observer.ended({
    target: placed.target,
    requestId: id,
    instanceId: lease?.instanceId,
    method,
    host,
    // A query may hold what is nobody's business.
    path: path.split('?', 1)[0]!,
    start: lease?.start,
    queueMs: lease?.queuedMs ?? 0,
    totalMs: performance.now() - began,
    ...ended,
  });
}
