import type { Logger } from '../../observability/logger.ts';
import type { Clock } from '../../ports/clock.ts';
import type { CommandWriter } from '../../ports/commands.ts';
import type {
  ColdStart,
  FunctionLogLine,
  MeteringEvent,
  RequestRecord,
} from '../../ports/commands-functions.ts';
import { lineIds } from './line-ids.ts';

export interface RecorderDeps {
  readonly writer: CommandWriter;
  readonly clock: Clock;
  readonly log: Pick<Logger, 'warn'>;
  readonly retention: RecordRetention;
  /** What was lost: the database did not take it as fast as it came. */
  readonly dropped: (what: RecordKind, count: number) => void;
}

export interface RecordRetention {
  /** Milliseconds that lines, requests and starts are kept. */
  readonly logs: number;
  /** The most of each that a project keeps. */
  readonly most: number;
  /** Milliseconds that metering events are kept. */
  readonly usage: number;
}

export type RecordKind = 'lines' | 'requests' | 'cold-starts' | 'usage';

export interface RecorderLimits {
  /** Milliseconds from a record to the write that takes it. */
  readonly flushMs: number;
  /** After a write that failed. */
  readonly retryMs: number;
  readonly pruneMs: number;
  /** Rows of one write. */
  readonly batch: number;
  /** Bytes of lines, and rows of each kind, that wait at most. */
  readonly lineBytes: number;
  readonly rows: number;
}

const usual: RecorderLimits = {
  ...{ flushMs: 250, retryMs: 5000, pruneMs: 600_000 },
  ...{ batch: 500, lineBytes: 16 << 20, rows: 50_000 },
};

/** A line's share of memory beside its text, about. */
const lineOverhead = 200;

/** What `FunctionLogLine` needs but its id. */
export type NewLine = Omit<FunctionLogLine, 'id'>;

/**
 * Writes down what functions did, in batches: nobody waits for it, and a process that is killed takes the
 * last quarter of a second along. What waits is bounded; past that the newest is dropped, and counted.
 */
export class Recorder {
  readonly #deps: RecorderDeps;
  readonly #limits: RecorderLimits;
  readonly #nextLineId: () => string;
  readonly #pruning: NodeJS.Timeout;
  readonly #waiting = {
    lines: [] as FunctionLogLine[],
    requests: [] as RequestRecord[],
    coldStarts: [] as ColdStart[],
    usage: [] as MeteringEvent[],
  };
  readonly #listeners = new Set<(projects: ReadonlySet<string>) => void>();
  #lineBytes = 0;
  #due: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;
  /** The write under way, or the last one. */
  #failed = false;
  #closed = false;

  constructor(deps: RecorderDeps, limits: Partial<RecorderLimits> = {}) {
    this.#deps = deps;
    this.#limits = { ...usual, ...limits };
    this.#nextLineId = lineIds(() => deps.clock.now());
    this.#pruning = setInterval(() => {
      this.prune().catch((cause: unknown) => this.#warn('prune', cause));
    }, this.#limits.pruneMs).unref();
  }

  /** With its id; undefined where it was dropped. */
  line(line: NewLine): FunctionLogLine | undefined {
    const size = line.text.length * 2 + lineOverhead;
    const { lines } = this.#waiting;
    if (this.#lineBytes + size > this.#limits.lineBytes || lines.length >= this.#limits.rows) {
      this.#deps.dropped('lines', 1);
      return undefined;
    }
    const taken = { ...line, id: this.#nextLineId() };
    this.#lineBytes += size;
    this.#take(lines, taken, 'lines');
    return taken;
  }

  request(request: RequestRecord): void {
    this.#take(this.#waiting.requests, request, 'requests');
  }

  coldStart(start: ColdStart): void {
    this.#take(this.#waiting.coldStarts, start, 'cold-starts');
  }

  usage(event: MeteringEvent): void {
    this.#take(this.#waiting.usage, event, 'usage');
  }

  /** Called after each write of lines, with the projects that they are of. */
  onLines(listener: (projects: ReadonlySet<string>) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves when what was recorded until now is written. Rejects where it cannot be. */
  async flush(): Promise<void> {
    while (this.#writing) await this.#writing.catch(() => {});
    this.#failed = true;
    this.#writing = this.#write().finally(() => {
      this.#writing = undefined;
      // What came meanwhile.
      if (this.#count() > 0) {
        this.#schedule(this.#failed ? this.#limits.retryMs : this.#limits.flushMs);
      }
    });
    await this.#writing;
  }

  /** Removes what is older or more than is to be kept, a part at a time. */
  async prune(): Promise<void> {
    const { writer, clock, retention } = this.#deps;
    for (let more = true; more && !this.#closed; ) {
      const now = clock.now();
      ({ more } = await writer.run('PruneFunctionLogs', {
        ...{ before: now - retention.logs, keep: retention.most, limit: 500 },
        usageBefore: now - retention.usage,
      }));
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#pruning);
    clearTimeout(this.#due);
    await this.flush().catch((cause: unknown) => {
      const { lines, requests, coldStarts, usage } = this.#waiting;
      this.#warn('flush', cause);
      if (usage.length > 0) this.#deps.dropped('usage', usage.length);
      this.#deps.dropped('lines', lines.length);
      this.#deps.dropped('requests', requests.length);
      this.#deps.dropped('cold-starts', coldStarts.length);
    });
  }

  #take<T>(queue: T[], item: T, kind: RecordKind): void {
    if (queue.length >= this.#limits.rows) {
      this.#deps.dropped(kind, 1);
      return;
    }
    queue.push(item);
    if (queue.length >= this.#limits.batch && !this.#failed) this.#schedule(0);
    else this.#schedule(this.#limits.flushMs);
  }

  #schedule(ms: number): void {
    if (this.#closed || this.#writing) return;
    if (ms === 0) clearTimeout(this.#due);
    else if (this.#due) return;
    this.#due = setTimeout(() => {
      this.#due = undefined;
      this.flush().then(
        () => {},
        (cause: unknown) => this.#warn('flush', cause),
      );
    }, ms).unref();
  }

  /** Metering first: bills are made of it. A part is taken off once it is written. */
  async #write(): Promise<void> {
    const { writer } = this.#deps;
    const { batch } = this.#limits;
    const { lines, requests, coldStarts, usage } = this.#waiting;
    while (usage.length > 0) {
      const events = usage.slice(0, batch);
      await writer.run('AppendUsage', { events });
      usage.splice(0, events.length);
    }
    while (lines.length + requests.length + coldStarts.length > 0) {
      const part = {
        lines: lines.slice(0, batch),
        requests: requests.slice(0, batch),
        coldStarts: coldStarts.slice(0, batch),
      };
      await writer.run('AppendFunctionLogs', part);
      lines.splice(0, part.lines.length);
      requests.splice(0, part.requests.length);
      coldStarts.splice(0, part.coldStarts.length);
      for (const { text } of part.lines) this.#lineBytes -= text.length * 2 + lineOverhead;
      if (part.lines.length > 0) this.#tell(new Set(part.lines.map((line) => line.projectId)));
    }
    this.#failed = false;
  }

  #tell(projects: ReadonlySet<string>): void {
    for (const listener of this.#listeners) listener(projects);
  }

  #count(): number {
    const { lines, requests, coldStarts, usage } = this.#waiting;
    return lines.length + requests.length + coldStarts.length + usage.length;
  }

  #warn(doing: string, cause: unknown): void {
    this.#deps.log.warn('function records', {
      doing,
      cause: String(cause),
      waiting: this.#count(),
    });
  }
}
