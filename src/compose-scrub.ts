import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import type { Config } from './config/config.ts';
import type { Leading } from './maintenance/leader.ts';
import { ScrubDesk } from './maintenance/scrub-desk.ts';
import { Scrubber } from './maintenance/scrubber.ts';
import type { Logger } from './observability/logger.ts';
import type { Metrics } from './observability/metrics.ts';
import { describe } from './oci/errors.ts';
import type { BlobStore } from './ports/blob-store.ts';
import type { Clock } from './ports/clock.ts';
import type { Metadata } from './ports/metadata.ts';
import { newId } from './projects/ids.ts';

/** How often each process looks what there is to read, and what is known to be damaged. */
const lookEveryMs = 15_000;
/** Share of time in which the event loop is not idle. */
const busyFrom = 0.9;

/** The scrub over the real stores, at the rate that is set. */
export function openScrubber(
  config: Config,
  parts: {
    readonly metadata: Metadata;
    readonly store: BlobStore;
    readonly leading: Leading;
    readonly clock: Clock;
    readonly logger: Logger;
    readonly metrics: Metrics;
  },
): Scrubber {
  const { metadata, logger, metrics } = parts;
  let before = performance.eventLoopUtilization();
  const busy = () => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, before);
    before = now;
    return utilization > busyFrom;
  };
  return new Scrubber(
    {
      ...parts,
      ...{ scrub: metadata.scrub, log: logger, counted: metrics.scrub },
      ...{ rate: config.scrubRate, intervalMs: config.scrubInterval || undefined, busy },
      sleep: (ms, signal) => delay(ms, undefined, { signal }),
      failed: (cause) =>
        logger.warn('scrub failed, will be tried again', { cause: describe(cause) }),
    },
    lookEveryMs,
  );
}

/** What people ask of it; without a `wake` the next server that starts does what was asked. */
export function openScrubDesk(
  config: Config,
  { scrub, writer }: Pick<Metadata, 'scrub' | 'writer'>,
  clock: Clock,
  wake: () => void = () => {},
): ScrubDesk {
  return new ScrubDesk({
    ...{ scrub, writer, clock, wake, newId: () => newId('scr') },
    ...{ rate: config.scrubRate, intervalMs: config.scrubInterval || undefined },
  });
}
