import { join } from 'node:path';
import type { Logger } from '../../../observability/logger.ts';
import { refuse } from '../../../oci/errors.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { FunctionLogLine } from '../../../ports/commands-functions.ts';
import type { ServiceSettings } from '../../../ports/functions.ts';
import type { ActivationTarget } from '../../activation.ts';
import { FileSink, isFileSinkName } from './file-sink.ts';
import { type LogOutbound, PostSink, type PostTimes } from './post-sink.ts';
import type { LogSink } from './sink.ts';

export type LogSinkSetting = NonNullable<ServiceSettings['logSink']>;

export interface LogSinksDeps {
  /** Files go to `<folder>/<project>/<name>`. */
  readonly folder: string;
  readonly outbound: LogOutbound;
  readonly clock: Clock;
  readonly log: Pick<Logger, 'warn'>;
  readonly dropped: (type: LogSinkSetting['type'], count: number) => void;
  readonly rotateBytes?: number;
  readonly times?: Partial<PostTimes>;
}

/** Throws `invalid` where the setting names no file that may be, or no address that may be called. */
export function checkLogSink(sink: LogSinkSetting, outbound: Pick<LogOutbound, 'check'>): void {
  if (sink.type !== 'file') {
    outbound.check(sink.url);
    return;
  }
  if (isFileSinkName(sink.name)) return;
  throw refuse(
    'invalid',
    `A log file's name has letters, digits, dashes and underscores, and perhaps one extension: ${JSON.stringify(sink.name.slice(0, 80))} is none.`,
    'Name it such as "web.log": it is kept under logs/ in the data folder.',
  );
}

const rotateBytes = 10 << 20;
const files = 5;
const mostNames = 16;
const mostOpen = 500;
/** One that nobody sent anything to for so long is closed. */
const idleMs = 600_000;
/** From one note of what was dropped to the next. */
const noteMs = 60_000;

/** The sinks that are in use: one for each project and setting, whatever services share it. */
export class LogSinks {
  readonly #deps: LogSinksDeps;
  readonly #open = new Map<string, { readonly sink: LogSink; usedAt: number }>();
  readonly #closing = new Set<Promise<void>>();
  readonly #sweeping: NodeJS.Timeout;
  #noted = new Map<string, number>();

  constructor(deps: LogSinksDeps) {
    this.#deps = deps;
    this.#sweeping = setInterval(() => this.#sweep(), idleMs / 10).unref();
  }

  send(target: ActivationTarget, line: FunctionLogLine): void {
    const setting = target.service.settings.logSink;
    if (!setting) return;
    const where = setting.type === 'file' ? setting.name : setting.url;
    const key = `${target.projectId} ${setting.type} ${where}`;
    let open = this.#open.get(key);
    if (!open) {
      if (this.#open.size >= mostOpen) {
        this.#deps.dropped(setting.type, 1);
        return;
      }
      open = { sink: this.#make(target.projectId, setting, key), usedAt: 0 };
      this.#open.set(key, open);
    }
    open.usedAt = this.#deps.clock.now();
    open.sink.send({ target, line });
  }

  async close(): Promise<void> {
    clearInterval(this.#sweeping);
    await Promise.all([
      ...[...this.#open.values()].map(({ sink }) => sink.close()),
      ...this.#closing,
    ]);
    this.#open.clear();
  }

  #make(projectId: string, setting: LogSinkSetting, key: string): LogSink {
    const { folder, outbound, times } = this.#deps;
    const dropped = (count: number, why: string) => this.#dropped(setting.type, key, count, why);
    if (setting.type !== 'file') {
      const { type, url } = setting;
      return new PostSink({ type, url, outbound, dropped, ...(times && { times }) });
    }
    // Checked where it is set, and here again: what is in the database may be older than the rule.
    const mine = [...this.#open.keys()].filter((other) => other.startsWith(`${projectId} file `));
    if (mine.length >= mostNames) {
      return { send: () => dropped(1, 'the project has many log files'), close: async () => {} };
    }
    if (!isFileSinkName(setting.name) || !/^\w+$/.test(projectId)) {
      return { send: () => dropped(1, 'the name is no file name'), close: async () => {} };
    }
    return new FileSink({
      ...{ folder: join(folder, projectId), name: setting.name, files, mostNames, dropped },
      rotateBytes: this.#deps.rotateBytes ?? rotateBytes,
    });
  }

  #sweep(): void {
    const now = this.#deps.clock.now();
    for (const [key, { sink, usedAt }] of this.#open) {
      if (now - usedAt < idleMs) continue;
      this.#open.delete(key);
      const closing = sink.close();
      this.#closing.add(closing);
      void closing.finally(() => this.#closing.delete(closing));
    }
    this.#noted = new Map([...this.#noted].filter(([, at]) => now - at < noteMs));
  }

  /** The URL may hold a key of the receiver's: it is not logged. */
  #dropped(type: LogSinkSetting['type'], key: string, count: number, why: string): void {
    this.#deps.dropped(type, count);
    const now = this.#deps.clock.now();
    if (now - (this.#noted.get(key) ?? 0) < noteMs) return;
    this.#noted.set(key, now);
    const [project] = key.split(' ');
    this.#deps.log.warn('log lines were not sent to their sink', { project, type, count, why });
  }
}
