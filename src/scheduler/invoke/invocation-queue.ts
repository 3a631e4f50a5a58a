import type { Logger } from '../../observability/logger.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { CommandWriter } from '../../ports/commands.ts';
import type { Invocation, InvocationResult, Invocations } from '../../ports/invocations.ts';
import { ActivationError } from '../activation.ts';
import type { Timer, Timers } from '../timers.ts';
import type { Invoker } from './invoker.ts';

export interface InvocationQueueDeps {
  readonly invocations: Pick<Invocations, 'nextRunAt'>;
  readonly invoker: Pick<Invoker, 'targetOf' | 'invoke'>;
  readonly writer: CommandWriter;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Pick<Logger, 'warn'>;
  /** Milliseconds and counts. */
  readonly limits: {
    readonly asyncParallel: number;
    readonly asyncResult: number;
    readonly attempts: number;
    readonly retryMs: number;
    readonly keptMs: number;
  };
}

/** Longer than any start and request together: a call that ran so long is lost with who ran it. */
const leaseMs = 30 * 60_000;
const pruneEveryMs = 10 * 60_000;
/** When nothing is known to be due: another process may have written. */
const lookEveryMs = 30_000;
const afterFailureMs = 5_000;

/**
 * Runs the calls that nobody waits for, from the database: at least once each, so a call that was under way when the
 * server died runs again. An attempt that fails, for the function's own error as for that of the installation, is
 * tried again later, so many times in all.
 */
export class InvocationQueue {
  readonly #deps: InvocationQueueDeps;
  readonly #running = new Set<Promise<void>>();
  readonly #abort = new AbortController();
  #timer: Timer | undefined;
  #looking: Promise<void> | undefined;
  #again = false;
  #prunedAt = Number.NEGATIVE_INFINITY;
  /** Leases until then are those of an earlier process; undefined: all of them were taken up. */
  #abandoned: number | undefined;

  constructor(deps: InvocationQueueDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#abandoned = this.#deps.clock.now() + leaseMs - 1;
    this.wake();
  }

  /** Something was queued. */
  wake(): void {
    if (this.#abort.signal.aborted) return;
    if (this.#looking) {
      this.#again = true;
      return;
    }
    this.#timer?.cancel();
    this.#looking = this.#look()
      .catch((error: unknown) => {
        this.#deps.log.warn('invocations could not be looked for', { cause: String(error) });
        return afterFailureMs;
      })
      .then((wait) => {
        this.#looking = undefined;
        if (this.#abort.signal.aborted) return;
        if (this.#again) {
          this.#again = false;
          this.wake();
        } else this.#timer = this.#deps.timers.after(wait, () => this.wake());
      });
  }

  /** Calls under way are broken off: they run again at the next start. */
  async close(): Promise<void> {
    this.#abort.abort();
    this.#timer?.cancel();
    await this.#looking;
    await Promise.all(this.#running);
  }

  /** Milliseconds until the next look. */
  async #look(): Promise<number> {
    const { writer, clock, limits, invocations } = this.#deps;
    const now = clock.now();
    if (now - this.#prunedAt >= pruneEveryMs) {
      this.#prunedAt = now;
      await writer.run('PruneInvocations', { before: now - limits.keptMs, limit: 1000 });
    }
    const free = limits.asyncParallel - this.#running.size;
    // Each that ends wakes it.
    if (free <= 0) return lookEveryMs;
    const next = this.#abandoned === undefined ? await invocations.nextRunAt() : now;
    if (next === undefined) return lookEveryMs;
    if (next > now) return Math.min(next - now, lookEveryMs);
    const claimed = await writer.run('ClaimInvocations', {
      ...{ now, leaseUntil: now + leaseMs, limit: free, abandoned: this.#abandoned },
    });
    if (claimed.length < free) this.#abandoned = undefined;
    for (const { invocation, payload } of claimed) {
      const run = this.#run(invocation, Buffer.from(payload)).finally(() => {
        this.#running.delete(run);
        this.wake();
      });
      this.#running.add(run);
    }
    return claimed.length === free ? lookEveryMs : 0;
  }

  /** Never rejects. */
  async #run(invocation: Invocation, payload: Buffer): Promise<void> {
    const { writer, clock, limits, log } = this.#deps;
    const { id, attempts } = invocation;
    const outcome = await this.#attempt(invocation, payload);
    // The next process takes it up.
    if (this.#abort.signal.aborted) return;
    const failed = outcome.error !== undefined;
    const again = failed && attempts < limits.attempts;
    const now = clock.now();
    try {
      await writer.run('FinishInvocation', {
        ...{ id, attempt: attempts, ...outcome, now },
        state: again ? 'queued' : failed ? 'failed' : 'succeeded',
        ...(again && { runAt: now + limits.retryMs * 2 ** (attempts - 1) }),
      });
    } catch (error) {
      log.warn('the end of an invocation could not be written', {
        ...{ invocation: id, cause: String(error) },
      });
    }
  }

  async #attempt(
    { projectId, service, environment, name, contentType }: Invocation,
    payload: Buffer,
  ): Promise<{ result?: InvocationResult; error?: string }> {
    try {
      const place = { projectId, service, environment, name };
      const target = await this.#deps.invoker.targetOf(place);
      const answer = await this.#deps.invoker.invoke(target, {
        ...{ payload, contentType, method: 'POST', path: '/', address: '127.0.0.1' },
        ...{ mostBytes: this.#deps.limits.asyncResult, signal: this.#abort.signal },
      });
      const { status, headers, body, truncated, functionError } = answer;
      const result = { status, headers, body: body.toString('base64'), truncated };
      return {
        result,
        ...(functionError && { error: `The function answered with an error: ${status}.` }),
      };
    } catch (error) {
      const told = error instanceof RegistryError || error instanceof ActivationError;
      return { error: told ? error.message : 'The call failed.' };
    }
  }
}
