import { Worker } from 'node:worker_threads';
import { type ErrorInfo, RegistryError, refuse } from '../../src/oci/errors.ts';
import type { CommandName, Commands, CommandWriter } from '../../src/ports/commands.ts';
import type { Fence } from '../../src/ports/leases.ts';
import type { WriterMessage } from './writer-messages.ts';

interface Waiting {
  resolve(result: never): void;
  reject(error: Error): void;
}

/** The writer thread's other end: a promise for each command. */
export class ThreadWriter implements CommandWriter {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  readonly #listeners: (() => void)[] = [];
  #nextId = 1;
  #dead: Error | undefined;

  private constructor(worker: Worker) {
    this.#worker = worker;
    worker.on('message', (message: WriterMessage) => {
      if (message.type !== 'replies') return;
      this.#settle(message.replies);
      for (const listener of this.#listeners) listener();
    });
    worker.on('error', (error) => this.#fail(error as Error));
    worker.on('exit', () => this.#fail(new Error('the database writer has ended')));
  }

  /** Resolves when the database is open and its schema is this program's. */
  static async open(file: string): Promise<ThreadWriter> {
    const worker = new Worker(new URL('./writer-thread.ts', import.meta.url), {
      workerData: { file },
      name: 'metadata-writer',
    });
    await new Promise<void>((resolve, reject) => {
      worker.once('message', (message: WriterMessage) => {
        if (message.type === 'ready') resolve();
        else reject(message.type === 'failed' ? asError(message.error) : new Error('no writer'));
      });
      worker.once('error', reject);
    }).catch(async (error: unknown) => {
      await worker.terminate();
      throw error;
    });
    return new ThreadWriter(worker);
  }

  run<N extends CommandName>(
    name: N,
    args: Commands[N]['args'],
    fence?: Fence,
  ): Promise<Commands[N]['result']> {
    if (this.#dead) return Promise.reject(unavailable(this.#dead));
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, name, args, fence });
    });
  }

  onCommit(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Finishes what was sent, then ends. */
  async close(): Promise<void> {
    if (this.#dead) return;
    const ended = new Promise<void>((resolve) => this.#worker.once('exit', () => resolve()));
    this.#worker.postMessage('close');
    await ended;
  }

  #settle(replies: Extract<WriterMessage, { type: 'replies' }>['replies']): void {
    for (const reply of replies) {
      const waiting = this.#waiting.get(reply.id);
      if (!waiting) continue;
      this.#waiting.delete(reply.id);
      if ('error' in reply) waiting.reject(new RegistryError(reply.error));
      else waiting.resolve(reply.result as never);
    }
  }

  #fail(error: Error): void {
    this.#dead ??= error;
    for (const waiting of this.#waiting.values()) waiting.reject(unavailable(error));
    this.#waiting.clear();
  }
}

function unavailable(cause: Error): RegistryError {
  const info = refuse('unavailable', 'The database cannot be written now.', 'Try again.').info;
  return new RegistryError(info, { cause });
}

function asError(error: ErrorInfo | string): Error {
  return typeof error === 'string' ? new Error(error) : new RegistryError(error);
}
