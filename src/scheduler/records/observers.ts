import type { Logger } from '../../observability/logger.ts';
import type { RequestObserver } from '../activation.ts';
import type { InstanceObserver } from '../instance.ts';

/** Tells each in turn. What one of them throws is its own: the others hear it, and no request fails for it. */
export function tellAll(
  observers: readonly (InstanceObserver & RequestObserver)[],
  log: Pick<Logger, 'warn'>,
): InstanceObserver & RequestObserver {
  const each = (what: string, tell: (one: InstanceObserver & RequestObserver) => void) => {
    for (const observer of observers) {
      try {
        tell(observer);
      } catch (cause) {
        log.warn('function records', { doing: what, cause: String(cause) });
      }
    }
  };
  return {
    changed: (event) => each('changed', (one) => one.changed(event)),
    pulled: (event) => each('pulled', (one) => one.pulled(event)),
    started: (event) => each('started', (one) => one.started(event)),
    ended: (event) => each('ended', (one) => one.ended(event)),
  };
}
