import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { constants, setPriority } from 'node:os';
import { extname } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import {
  endOfLayer,
  frameHeader,
  type MeasureJob,
  type Verdict,
  type WorkerMessage,
} from './measure-frames.ts';

export type MeasureResult =
  | { readonly type: 'verdict'; readonly verdict: Verdict }
  /** The layer's bytes did not come; says nothing of the layer. */
  | { readonly type: 'source-failed'; readonly error: unknown }
  /** The process ended or hung; `started` false: before it took any layer, so it is not the layer's fault. */
  | { readonly type: 'child-failed'; readonly started: boolean; readonly reason: string };

export interface MeasureChildOptions {
  /** Milliseconds without any progress after which the process, or the source, is given up. */
  readonly stallLimit?: number;
  /** Program of the process. */
  readonly worker?: string;
}

const defaultStallLimit = 120_000;
const heapMegabytes = 64;
const keptErrorText = 2000;
const ownWorker = `${import.meta.dirname}/measure-worker${extname(import.meta.filename)}`;

interface Run {
  readonly source: Readable;
  result: MeasureResult | undefined;
  waitingFor: 'source' | 'child';
  /** Called when the child can take more, or the run has its result. */
  resume: () => void;
  readonly watchdog: NodeJS.Timeout;
}

/** Measures one layer at a time. */
export interface LayerProcess {
  /** False once it has failed or given a verdict other than measured: then it is only to be closed. */
  readonly usable: boolean;
  /** Sends it `source`, which is destroyed in the end, and gives what came of it. Never rejects. */
  measure(source: Readable, job: MeasureJob): Promise<MeasureResult>;
  /** Ends it, and what it is doing, and waits for its end. */
  close(): Promise<void>;
}

/** A process of the lowest priority, with nothing but the bytes that it is sent. */
export class MeasureChild implements LayerProcess {
  readonly #process: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #ended: Promise<unknown>;
  readonly #stallLimit: number;
  #started = false;
  #failure: string | undefined;
  #errorText = '';
  #run: Run | undefined;

  constructor({ stallLimit = defaultStallLimit, worker = ownWorker }: MeasureChildOptions = {}) {
    this.#stallLimit = stallLimit;
    // An environment of its own: nothing of ours is to be found there.
    this.#process = spawn(process.execPath, [`--max-old-space-size=${heapMegabytes}`, worker], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { UV_THREADPOOL_SIZE: '1' },
    });
    this.#ended = new Promise((resolve) => this.#process.once('close', resolve));
    this.#lowerPriority();
    this.#process.once('error', (error) => this.#fail(error.message));
    this.#process.once('close', (code, signal) => {
      const text = this.#errorText.trim();
      this.#fail(`the process ended with ${signal ?? `code ${code}`}${text && `: ${text}`}`);
    });
    // A process that is gone is told of by its close event.
    this.#process.stdin.on('error', () => {});
    this.#process.stdin.on('drain', () => this.#run?.resume());
    this.#process.stderr.on('data', (data: Buffer) => {
      this.#errorText = (this.#errorText + data.toString('latin1')).slice(-keptErrorText);
    });
    createInterface(this.#process.stdout).on('line', (line) => this.#hear(line));
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  get usable(): boolean {
    return this.#failure === undefined;
  }

  async measure(source: Readable, job: MeasureJob): Promise<MeasureResult> {
    if (this.#run) throw new Error('a layer is being measured already');
    const run: Run = {
      source,
      result: undefined,
      waitingFor: 'source',
      resume: () => {},
      watchdog: setTimeout(() => this.#stalled(), this.#stallLimit),
    };
    this.#run = run;
    // It may fail while nobody reads it; reading it tells then, too.
    source.on('error', () => {});
    if (this.#failure !== undefined) this.#fail(this.#failure);
    try {
      await this.#send(run, job);
    } catch (error) {
      this.#settle({ type: 'source-failed', error });
    } finally {
      clearTimeout(run.watchdog);
      source.destroy();
      this.#run = undefined;
    }
    if (run.result?.type !== 'verdict' || run.result.verdict.state !== 'measured') {
      this.#failure ??= 'the process is done';
    }
    return run.result!;
  }

  async close(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#ended;
  }

  async #send(run: Run, job: MeasureJob): Promise<void> {
    const header = Buffer.from(JSON.stringify(job));
    await this.#write(run, [frameHeader(header.length), header]);
    if (!run.result) {
      for await (const chunk of run.source as AsyncIterable<Buffer>) {
        if (chunk.length > 0) await this.#write(run, [frameHeader(chunk.length), chunk]);
        if (run.result) return;
      }
      await this.#write(run, [endOfLayer]);
    }
    run.waitingFor = 'child';
    run.watchdog.refresh();
    while (!run.result) await this.#paused(run);
  }

  async #write(run: Run, parts: readonly Buffer[]): Promise<void> {
    const { stdin } = this.#process;
    stdin.cork();
    for (const part of parts) stdin.write(part);
    stdin.uncork();
    run.waitingFor = 'child';
    run.watchdog.refresh();
    while (stdin.writableNeedDrain && !run.result) await this.#paused(run);
    run.waitingFor = 'source';
    run.watchdog.refresh();
  }

  async #paused(run: Run): Promise<void> {
    await new Promise<void>((resolve) => {
      run.resume = resolve;
    });
  }

  #hear(line: string): void {
    let message: WorkerMessage;
    try {
      message = JSON.parse(line) as WorkerMessage;
    } catch {
      this.#fail('the process said what is no message');
      return;
    }
    this.#started = true;
    if (message.type === 'progress' && this.#run?.waitingFor === 'child') {
      this.#run.watchdog.refresh();
    }
    if (message.type === 'verdict') this.#settle({ type: 'verdict', verdict: message.verdict });
  }

  #stalled(): void {
    const seconds = this.#stallLimit / 1000;
    if (this.#run?.waitingFor === 'source') {
      this.#settle({
        type: 'source-failed',
        error: new Error(`the store sent nothing for ${seconds} s`),
      });
    } else {
      this.#fail(`the process made no progress for ${seconds} s`);
    }
  }

  #fail(reason: string): void {
    this.#failure ??= reason;
    this.#process.kill('SIGKILL');
    this.#settle({ type: 'child-failed', started: this.#started, reason: this.#failure });
  }

  #settle(result: MeasureResult): void {
    const run = this.#run;
    if (!run || run.result) return;
    run.result = result;
    // Ends a wait for the next chunk.
    run.source.destroy();
    run.resume();
  }

  #lowerPriority(): void {
    try {
      if (this.#process.pid) setPriority(this.#process.pid, constants.priority.PRIORITY_LOW);
    } catch {
      // It ended already, or the system has no priorities: it works all the same.
    }
  }
}
