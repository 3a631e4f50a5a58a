import { setTimeout as delay } from 'node:timers/promises';
import { version } from '../../../config/version.ts';
import type { Outbound } from '../../../events/webhook-post.ts';
import { RegistryError } from '../../../oci/errors.ts';
import { otlpOf } from './otlp.ts';
import { jsonOf, type LogSink, type SentLine } from './sink.ts';

/** The guarded way out. */
export type LogOutbound = Outbound;

export interface PostSinkOptions {
  readonly type: 'http' | 'otlp';
  readonly url: string;
  readonly outbound: LogOutbound;
  readonly dropped: (count: number, why: string) => void;
  readonly times?: Partial<PostTimes>;
}

export interface PostTimes {
  /** How long lines gather for one request. */
  readonly gatherMs: number;
  readonly timeoutMs: number;
  /** Before the second try; each further wait is four times as long. */
  readonly retryMs: number;
  readonly tries: number;
  /** At the end. */
  readonly closeMs: number;
}

const usual: PostTimes = {
  ...{ gatherMs: 1000, timeoutMs: 10_000, retryMs: 500, tries: 4, closeMs: 5000 },
};
const batchLines = 500;
const batchBytes = 1 << 20;
const mostWaiting = 10_000;
const mostWaitingBytes = 8 << 20;

/** Lines by HTTP POST, in batches: as JSON Lines, or as OTLP/HTTP logs in JSON. */
export class PostSink implements LogSink {
  readonly #options: PostSinkOptions;
  readonly #times: PostTimes;
  readonly #stop = new AbortController();
  readonly #hurry = new AbortController();
  readonly #waiting: SentLine[] = [];
  #bytes = 0;
  #sending: Promise<void> | undefined;

  constructor(options: PostSinkOptions) {
    this.#options = options;
    this.#times = { ...usual, ...options.times };
  }

  send(sent: SentLine): void {
    const size = sizeOf(sent);
    if (this.#waiting.length >= mostWaiting || this.#bytes + size > mostWaitingBytes) {
      this.#options.dropped(1, 'the receiver is slow');
      return;
    }
    this.#waiting.push(sent);
    this.#bytes += size;
    this.#sending ??= this.#run();
  }

  async close(): Promise<void> {
    this.#hurry.abort();
    const late = setTimeout(() => this.#stop.abort(), this.#times.closeMs);
    await this.#sending;
    clearTimeout(late);
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      if (this.#waiting.length < batchLines) await this.#pause(this.#times.gatherMs);
      const lines = this.#next();
      const problem = await this.#deliver(lines);
      if (problem !== undefined) this.#options.dropped(lines.length, problem);
    }
    this.#sending = undefined;
  }

  #next(): SentLine[] {
    let bytes = 0;
    let count = 0;
    for (const sent of this.#waiting) {
      bytes += sizeOf(sent);
      if (count > 0 && (bytes > batchBytes || count === batchLines)) break;
      count += 1;
    }
    const lines = this.#waiting.splice(0, count);
    for (const sent of lines) this.#bytes -= sizeOf(sent);
    return lines;
  }

  /** Undefined: they were taken. */
  async #deliver(lines: readonly SentLine[]): Promise<string | undefined> {
    const { type, url, outbound } = this.#options;
    const body = type === 'otlp' ? otlpOf(lines) : lines.map((l) => `${jsonOf(l)}\n`).join('');
    const headers = {
      'content-type': type === 'otlp' ? 'application/json' : 'application/x-ndjson',
      'user-agent': `gantry/${version}`,
    };
    let problem = 'the server is about to stop';
    for (let attempt = 0; attempt < this.#times.tries && !this.#stop.signal.aborted; attempt++) {
      if (attempt > 0) await this.#pause(this.#times.retryMs * 4 ** (attempt - 1));
      try {
        const { status } = await outbound.fetch(url, {
          ...{ timeoutMs: this.#times.timeoutMs, maxBytes: 1024, truncate: true },
          ...{ headers, body, signal: this.#stop.signal },
        });
        if (status >= 200 && status < 300) return undefined;
        problem = `the receiver answered ${status}`;
        // What it does not like it will not like again.
        if (status < 500 && status !== 429 && status !== 408) return problem;
      } catch (error) {
        if (error instanceof RegistryError && error.kind === 'invalid') return error.message;
        problem = error instanceof RegistryError ? error.message : 'it could not be sent';
      }
    }
    return problem;
  }

  async #pause(ms: number): Promise<void> {
    const signal = AbortSignal.any([this.#stop.signal, this.#hurry.signal]);
    await delay(ms, undefined, { signal }).catch(() => {});
  }
}

const sizeOf = ({ line }: SentLine): number =>
  line.text.length * 2 + line.requestIds.length * 40 + 400;
