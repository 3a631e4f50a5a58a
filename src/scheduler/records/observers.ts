import type { Logger } from '../../observability/logger.ts';
import type { ActivationTarget, RequestEnd, RequestObserver } from '../activation.ts';
import type { InstanceObserver } from '../instance.ts';

/** A request that is no longer in flight on an instance. */
export interface RequestLeft {
  readonly target: ActivationTarget;
  readonly requestId: string;
  readonly instanceId: string;
  readonly at: number;
}

/** One of those who listen here. Each `started` has its `left`, once; a request that is tried again has several. */
export interface RecordsObserver extends InstanceObserver {
  started(event: Parameters<RequestObserver['started']>[0]): void;
  left(event: RequestLeft): void;
  /** `at`: when it ended. */
  ended(event: RequestEnd, at: number): void;
}

/** Tells each in turn. What one of them throws is its own: the others hear it, and no request fails for it. */
export function tellAll(
  observers: readonly RecordsObserver[],
  log: Pick<Logger, 'warn'>,
): InstanceObserver & RequestObserver {
  /** Where requests are in flight. */
  const open = new Map<string, string>();
  const each = (doing: string, tell: (one: RecordsObserver) => void) => {
    for (const observer of observers) {
      try {
        tell(observer);
      } catch (cause) {
        log.warn('function records', { doing, cause: String(cause) });
      }
    }
  };
  const leave = (target: ActivationTarget, requestId: string, at: number) => {
    const instanceId = open.get(requestId);
    if (instanceId === undefined) return;
    open.delete(requestId);
    each('left', (one) => one.left({ target, requestId, instanceId, at }));
  };
  return {
    changed: (event) => each('changed', (one) => one.changed(event)),
    pulled: (event) => each('pulled', (one) => one.pulled(event)),
    started(event) {
      // Where the first instance could not be reached, it was sent to another.
      leave(event.target, event.requestId, event.at);
      open.set(event.requestId, event.instanceId);
      each('started', (one) => one.started(event));
    },
    ended(event) {
      const at = Math.round(event.at + event.totalMs);
      leave(event.target, event.requestId, at);
      each('ended', (one) => one.ended(event, at));
    },
  };
}
