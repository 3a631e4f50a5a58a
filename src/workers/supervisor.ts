import cluster, { type Worker } from 'node:cluster';
import { setTimeout as delay } from 'node:timers/promises';
import type { Config } from '../config/config.ts';
import type { Logger } from '../observability/logger.ts';
import { countsOf } from '../observability/metrics.ts';
import { Channel } from './channel.ts';
import type { Desk } from './desk.ts';
import type { Hello, StartFailure, WorkerState } from './messages.ts';
import { pipeOf } from './pipes.ts';
import { claimPort } from './port.ts';

export interface SupervisorDeps {
  readonly count: number;
  /** What a worker runs: a path. */
  readonly program: string;
  readonly config: Config;
  readonly desk: Desk;
  readonly logger: Pick<Logger, 'info' | 'error'>;
  /** Where this process answers what workers do not. */
  readonly socketPath: string;
}

interface Member {
  readonly worker: Worker;
  readonly channel: Channel;
  readonly startedAt: number;
  /** Settled once it listens, or could not. */
  readonly listening: Promise<string>;
  readonly exited: Promise<void>;
  /** What it had counted when it was asked last. */
  scrape: object | undefined;
}

/** One that lives this long has started well: the next failure is a first one. */
const settledMs = 10_000;
const longestPauseMs = 10_000;
/** How long a worker may take to answer what the primary asks. */
const answerMs = 2_000;
/** How long it may take, beside what is under way, to close and to write down what it noted. */
const closingMs = 6_000;
/** After its last answer. */
const exitMs = 2_000;

/** Starts workers, starts again those that die, and ends them. */
export class Supervisor {
  readonly #deps: SupervisorDeps;
  readonly #members = new Map<number, Member>();
  readonly #failures = new Map<number, number>();
  readonly #timers = new Set<NodeJS.Timeout>();
  /** Of workers that are gone, until what they had asked for is done. */
  readonly #leaving = new Set<Promise<void>>();
  /** What those had counted that are gone, as far as anybody was told. */
  #ended: Promise<readonly object[]> = Promise.resolve([]);
  #state: WorkerState = { ready: false, deploys: false };
  #port = 0;
  #lives = 0;
  #stopping = false;

  constructor(deps: SupervisorDeps) {
    this.#deps = deps;
  }

  /** Resolves with the URL where all listen. Rejects with what kept one from it, and ends the others. */
  async start(): Promise<string> {
    const { config, count } = this.#deps;
    // All take the same, also those that come later.
    this.#port = await claimPort(config.host, config.port);
    cluster.setupPrimary({
      exec: this.#deps.program,
      args: [],
      serialization: 'advanced',
    });
    const members = Array.from({ length: count }, (_, at) => this.#fork(at + 1));
    try {
      const urls = await Promise.all(members.map(({ listening }) => listening));
      return urls[0]!;
    } catch (error) {
      await this.drain(0);
      throw error;
    }
  }

  tell(state: Partial<WorkerState>): void {
    const { ready, deploys } = this.#state;
    this.#state = { ...this.#state, ...state };
    if (ready === this.#state.ready && deploys === this.#state.deploys) return;
    for (const { channel } of this.#members.values()) channel.tell('state', this.#state);
  }

  /** Keys were rotated: workers read them now. */
  rotated(): void {
    for (const { channel } of this.#members.values()) channel.tell('rotated', undefined);
  }

  /** What each of them has counted; a worker that does not answer is left out. */
  async scrapes(): Promise<object[]> {
    const members = [...this.#members.values()];
    const ended = this.#ended;
    await Promise.all(
      members.map(async (member) => {
        const scrape = await within(answerMs, member.channel.call<object>('scrape', undefined));
        if (scrape) member.scrape = scrape;
      }),
    );
    // One that ended meanwhile is among `members` still.
    const living = members.map(({ scrape }) => scrape).filter((one) => one !== undefined);
    return [...(await ended), ...living];
  }

  /** What workers have noted and not written down is written. */
  async flushUses(): Promise<void> {
    await Promise.all(
      [...this.#members.values()].map(({ channel }) =>
        within(answerMs, channel.call('flush', undefined)),
      ),
    );
  }

  /** Process ids of those that live, by number. */
  get pids(): ReadonlyMap<number, number> {
    return new Map([...this.#members].map(([number, { worker }]) => [number, worker.process.pid!]));
  }

  /** They take no more, end what is under way within `timeoutMs`, write down what they noted, and go. */
  async drain(timeoutMs: number): Promise<void> {
    this.#stopping = true;
    for (const timer of this.#timers) clearTimeout(timer);
    await Promise.all(
      [...this.#members.values()].map(async ({ worker, channel, exited }) => {
        await within(timeoutMs + closingMs, channel.call('drain', timeoutMs));
        if (worker.process.connected) worker.process.disconnect();
        const late = setTimeout(() => worker.process.kill('SIGKILL'), exitMs);
        await exited;
        clearTimeout(late);
      }),
    );
    await Promise.all(this.#leaving);
  }

  #fork(number: number): Member {
    const { desk, config, socketPath, logger } = this.#deps;
    const worker = cluster.fork();
    const { promise: listening, resolve, reject } = Promise.withResolvers<string>();
    // Whoever starts workers later does not wait for this.
    listening.catch(() => {});
    const side = desk.side(`${number}-${++this.#lives}`);
    const channel = new Channel(pipeOf(worker.process), {
      ...side.answers,
      hello: (): Hello => ({
        ...{ config, number, port: this.#port, state: this.#state, socketPath },
      }),
      listening: (url: string) => resolve(url),
      failed: (failure: StartFailure) => reject(errorOf(failure)),
    });
    const closed = new Promise<void>((done) => channel.onEnd(done));
    const gone = Promise.withResolvers<void>();
    const member: Member = {
      ...{ worker, channel, listening, startedAt: performance.now(), exited: gone.promise },
      scrape: undefined,
    };
    this.#members.set(number, member);
    const ended = (code: number | null, signal: string | null): void => {
      if (this.#members.get(number) !== member) return;
      reject(new Error(`worker ${number} ended before it listened (${signal ?? code})`));
      this.#members.delete(number);
      this.#remember(member);
      // One that never was has no channel to end.
      const leaving = (worker.process.pid ? closed : Promise.resolve()).then(() => side.gone());
      this.#leaving.add(leaving);
      void leaving.finally(() => this.#leaving.delete(leaving));
      if (!this.#stopping) {
        logger.error('a worker ended', { worker: number, pid: worker.process.pid, code, signal });
        this.#again(number, performance.now() - member.startedAt);
      }
      gone.resolve();
    };
    worker.once('exit', ended);
    worker.on('error', (error) => {
      logger.error('a worker failed', { worker: number, cause: String(error) });
      // One that could not be started at all.
      if (worker.process.pid === undefined) ended(null, null);
    });
    return member;
  }

  #remember({ scrape }: Member): void {
    if (!scrape) return;
    this.#ended = this.#ended.then(async (ended) => [await countsOf([...ended, scrape])]);
  }

  /** At once where it ran well before, else after a while. */
  #again(number: number, livedMs: number): void {
    const failures = livedMs > settledMs ? 0 : (this.#failures.get(number) ?? 0) + 1;
    this.#failures.set(number, failures);
    const pauseMs = failures <= 1 ? 0 : Math.min(longestPauseMs, 100 * 2 ** failures);
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      const { listening } = this.#fork(number);
      const { logger } = this.#deps;
      listening.then(
        () => logger.info('a worker took its place', { worker: number }),
        (error: unknown) => {
          if (!this.#stopping) logger.error('a worker could not start', { cause: String(error) });
        },
      );
    }, pauseMs);
    this.#timers.add(timer);
  }
}

/** Undefined where it comes to nothing, or not in time. */
async function within<T>(ms: number, answer: Promise<T>): Promise<T | undefined> {
  const waited = new AbortController();
  const late = delay(ms, undefined, { signal: waited.signal }).catch(() => undefined);
  try {
    return await Promise.race([answer.catch(() => undefined), late]);
  } finally {
    waited.abort();
  }
}

function errorOf({ message, ...rest }: StartFailure): Error {
  return Object.assign(new Error(message), rest);
}
