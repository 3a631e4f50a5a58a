import type pg from 'pg';
import { RegistryError, refuse } from '../../src/oci/errors.ts';
import type { CommandName, Commands, CommandWriter } from '../../src/ports/commands.ts';
import type { Fence } from '../../src/ports/leases.ts';
import { runCommand } from './commands/index.ts';
import { PostgresExecutor } from './dialects/postgres.ts';
import { isConflict, toRefusal } from './postgres-failure.ts';

interface Waiting {
  readonly name: CommandName;
  readonly args: unknown;
  readonly fence: Fence | undefined;
  resolve(result: never): void;
  reject(error: unknown): void;
}

type Outcome = { result: unknown } | { error: unknown };

/** More in one transaction would make the first of them wait for the last without saving another sync. */
const largestBatch = 64;
/** How often a command is tried where other replicas write the same rows at the same time. */
const mostTries = 12;

/**
 * Writes of one replica. Commands that arrive together share a transaction, each behind a savepoint, over one
 * connection at a time; replicas meet in the database: transactions are serializable, so each command sees the
 * facts as if it ran alone, and one that lost is run again.
 */
export class PostgresWriter implements CommandWriter {
  readonly #pool: pg.Pool;
  readonly #queue: Waiting[] = [];
  readonly #listeners: (() => void)[] = [];
  #running: Promise<void> | undefined;
  #closed = false;

  constructor(pool: pg.Pool) {
    this.#pool = pool;
  }

  run<N extends CommandName>(
    name: N,
    args: Commands[N]['args'],
    fence?: Fence,
  ): Promise<Commands[N]['result']> {
    if (this.#closed) {
      return Promise.reject(
        refuse('unavailable', 'The database cannot be written now.', 'Try again.'),
      );
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({ name, args, fence, resolve, reject });
      this.#running ??= this.#drain();
    });
  }

  onCommit(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Finishes what was given, then takes no more. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
  }

  async #drain(): Promise<void> {
    // What arrives in this turn of the event loop belongs to the first batch.
    await undefined;
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0, largestBatch);
      const outcomes = await this.#runBatch(batch);
      for (const [at, outcome] of outcomes.entries()) {
        if ('error' in outcome) batch[at]!.reject(toRefusal(outcome.error));
        else batch[at]!.resolve(outcome.result as never);
      }
      for (const listener of this.#listeners) listener();
    }
    // In the turn that found the queue empty: what comes next starts another run.
    this.#running = undefined;
  }

  async #runBatch(batch: readonly Waiting[]): Promise<Outcome[]> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#runTogether(batch);
      } catch (error) {
        if (isConflict(error) && attempt < mostTries) {
          await pause(attempt);
          continue;
        }
        // Whether it was done is not known: done again, it might be done twice.
        if (error instanceof Unanswered) return batch.map(() => ({ error: error.cause }));
        if (batch.length === 1) return [{ error }];
        const outcomes: Outcome[] = [];
        for (const one of batch) outcomes.push(...(await this.#runBatch([one])));
        return outcomes;
      }
    }
  }

  async #runTogether(batch: readonly Waiting[]): Promise<Outcome[]> {
    const client = await this.#pool.connect();
    let broken: Error | undefined;
    try {
      await client.query('begin isolation level serializable');
      const executor = new PostgresExecutor(client);
      const outcomes: Outcome[] = [];
      for (const one of batch) {
        await client.query('savepoint command');
        try {
          outcomes.push({ result: await runCommand(executor, one) });
          await client.query('release command');
        } catch (error) {
          // The whole transaction has to be run again, not this command alone.
          if (isConflict(error) || !isRefusal(error)) throw error;
          await client.query('rollback to command');
          await client.query('release command');
          outcomes.push({ error });
        }
      }
      await client.query('commit').catch((error: unknown) => {
        throw saysThatItFailed(error) ? error : new Unanswered(error);
      });
      return outcomes;
    } catch (error) {
      await client.query('rollback').catch((failed: Error) => (broken = failed));
      throw error;
    } finally {
      client.release(broken);
    }
  }
}

/** Refused by our own rules, or by a constraint: the rest of the transaction stands. */
function isRefusal(error: unknown): boolean {
  return error instanceof RegistryError || /^23/.test((error as { code?: string }).code ?? '');
}

/** A commit of which nobody knows whether it was done: its connection broke, or the server was ending. */
class Unanswered extends Error {
  constructor(cause: unknown) {
    super('the commit was not answered', { cause });
  }
}

/** Conflicts and constraints are told instead of the commit. */
function saysThatItFailed(error: unknown): boolean {
  return /^(23|40)/.test((error as { code?: string }).code ?? '');
}

/** Longer each time, and never the same for two replicas. */
function pause(attempt: number): Promise<void> {
  const ms = Math.min(2 ** attempt, 200) * (0.5 + Math.random());
  return new Promise((resolve) => setTimeout(resolve, ms));
}
