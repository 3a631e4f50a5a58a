import type { RecordsConfig } from '../../config/record-settings.ts';
import { FunctionMetrics } from '../../observability/function-metrics.ts';
import type { Logger } from '../../observability/logger.ts';
import type { Metrics } from '../../observability/metrics.ts';
import type { Clock } from '../../ports/clock.ts';
import { dayOf } from '../../ports/function-records.ts';
import type { Metadata } from '../../ports/metadata.ts';
import type { RuntimeDriver } from '../../ports/runtime-driver.ts';
import type { ActivationTarget, RequestObserver } from '../activation.ts';
import type { InstanceObserver } from '../instance.ts';
import { FunctionFigures, type ServiceFigures } from './figures.ts';
import { InstanceLogs, type InstanceLogsDeps } from './instance-logs.ts';
import { LineSignal } from './line-signal.ts';
import type { MeteredMachine } from './meter.ts';
import { Metering, type MeteringTimes } from './metering.ts';
import { tellAll } from './observers.ts';
import { Recorder, type RecorderLimits } from './recorder.ts';
import { RequestLog } from './request-log.ts';
import { LogSinks } from './sinks/log-sinks.ts';
import type { LogOutbound, PostTimes } from './sinks/post-sink.ts';

export interface RecordsDeps {
  readonly metadata: Pick<Metadata, 'functionRecords' | 'writer'>;
  readonly clock: Clock;
  readonly log: Pick<Logger, 'warn'>;
  readonly metrics: Pick<Metrics, 'registry'>;
  readonly outbound: LogOutbound;
  readonly settings: RecordsConfig;
  /** Where file sinks write: `<data>/logs`. */
  readonly folder: string;
  /** Of a metering event: `mtr_…`. */
  readonly newUsageId: () => string;
  /** Undefined while no engine is there. */
  readonly driver: () => Pick<RuntimeDriver, 'logs' | 'stats'> | undefined;
  readonly machineOf: (target: ActivationTarget) => MeteredMachine;
  readonly brackets: InstanceLogsDeps['brackets'];
  readonly times?: {
    readonly recorder?: Partial<RecorderLimits>;
    readonly metering?: Partial<MeteringTimes>;
    readonly sinks?: Partial<PostTimes>;
  };
}

/** What the API asks, beside the stored records. */
export interface LiveRecords {
  /** Resolves once more lines of the project are written. */
  nextLines(projectId: string): Promise<void>;
  /** Figures of the last minutes, of this process. */
  figures(projectId: string, minutes: number): ServiceFigures[];
}

export interface Records {
  /** For the pool and the gateway: both hear everything by it. */
  readonly observer: InstanceObserver & RequestObserver;
  readonly live: LiveRecords;
  /** Lines of Gantry's own in an instance's log. */
  note(instanceId: string, target: ActivationTarget, text: string): void;
  /** Removes what is past its time, now. */
  prune(): Promise<void>;
  /** After the gateway has drained and the pool has stopped: writes down everything. */
  close(): Promise<void>;
}

/**
 * What functions did, wired: compose.ts opens it before the pool, gives `observer` to the pool and the gateway,
 * `live` to the API, and closes it after both.
 */
export async function openRecords(deps: RecordsDeps): Promise<Records> {
  const { metadata, clock, log, settings } = deps;
  const { functionRecords, writer } = metadata;
  const metrics = FunctionMetrics.of(deps.metrics.registry);
  const figures = new FunctionFigures({ clock, metrics });
  const signal = new LineSignal();
  await writer.run('SetPrices', { day: dayOf(clock.now()), prices: settings.prices });
  const recorder = new Recorder(
    {
      ...{ writer, clock, log, dropped: (what, count) => metrics.dropped(what, count) },
      retention: {
        ...{ logs: settings.logRetention, most: settings.logLimit },
        usage: settings.usageRetention,
      },
    },
    deps.times?.recorder,
  );
  recorder.onLines((projects) => signal.wrote(projects));
  const sinks = new LogSinks({
    ...{ folder: deps.folder, outbound: deps.outbound, clock, log },
    dropped: (type, count) => metrics.dropped(`sink-${type}`, count),
    ...(deps.times?.sinks && { times: deps.times.sinks }),
  });
  const logs = new InstanceLogs({
    ...{ driver: deps.driver, stored: functionRecords, clock, log, rate: settings.logRate },
    brackets: deps.brackets,
    record: (line) => recorder.line(line),
    send: (target, line) => sinks.send(target, line),
  });
  const requests = new RequestLog({
    request: (record) => recorder.request(record),
    coldStart: (start, target) => {
      recorder.coldStart(start);
      figures.coldStart(target, start.error === undefined ? start.from : 'failed');
    },
  });
  const metering = new Metering(
    {
      ...{ driver: deps.driver, stored: functionRecords, clock, log, machineOf: deps.machineOf },
      newId: deps.newUsageId,
      record: (event) => recorder.usage(event),
      seen: (target, instanceId, now) => figures.seen(target, instanceId, now),
    },
    deps.times?.metering,
  );
  return {
    observer: tellAll([logs, requests, metering, figures], log),
    live: {
      nextLines: (projectId) => signal.next(projectId),
      figures: (projectId, minutes) => figures.of(projectId, minutes),
    },
    note: (instanceId, target, text) => logs.note(instanceId, target, text, clock.now()),
    prune: () => recorder.prune(),
    async close() {
      await metering.close();
      requests.close();
      await logs.close();
      await sinks.close();
      await recorder.close();
    },
  };
}
