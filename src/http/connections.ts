import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** How often connections are looked for that wait for nothing. */
const checkMs = 50;

/** A connection without a request: since when (milliseconds, monotonic), and what it had received by then. */
interface Idle {
  readonly since: number;
  readonly received: number;
}

/**
 * The connections of a server, so that a drain ends each after its last answer. Node's own
 * `closeIdleConnections` (also a part of `close`) takes an answer for sent that is only written: it would cut
 * the end of what a slow client is pulling.
 */
export class Connections {
  readonly #graceMs: number;
  readonly #open = new Set<Socket>();
  readonly #answers = new WeakMap<Socket, ServerResponse>();
  readonly #idle = new WeakMap<Socket, Idle>();
  #draining: NodeJS.Timeout | undefined;
  readonly #ended = Promise.withResolvers<void>();

  /**
   * `graceMs`: how long a connection without a request stays open in a drain. Its client was promised that it may
   * send another, and may be doing so: it would be reset.
   */
  constructor(graceMs: number) {
    this.#graceMs = graceMs;
  }

  opened(socket: Socket): void {
    this.#open.add(socket);
    socket.once('close', () => this.#gone(socket));
  }

  answering({ socket }: IncomingMessage, res: ServerResponse): void {
    this.#answers.set(socket, res);
    this.#idle.delete(socket);
    // A client that keeps its connection busy would never let it be idle.
    if (this.#draining) res.shouldKeepAlive = false;
  }

  /** It speaks something else than HTTP now: no drain ends it, nor waits for it. */
  upgraded(socket: Socket): void {
    this.#gone(socket);
  }

  /**
   * From here on no connection outlives the answers that it waits for, and each answer that has not begun says so.
   * Resolves once none is left.
   */
  drain(): Promise<void> {
    if (!this.#draining) {
      for (const socket of this.#open) {
        const answer = this.#answers.get(socket);
        if (answer && !answer.headersSent) answer.shouldKeepAlive = false;
      }
      this.#endIdle();
      // After the reads of the same turn: what has come meanwhile is no longer idle.
      this.#draining = setInterval(() => setImmediate(() => this.#endIdle()), checkMs);
      this.#gone();
    }
    return this.#ended.promise;
  }

  /** Cuts what is left. */
  cut(): void {
    for (const socket of this.#open) socket.destroy();
    clearInterval(this.#draining);
  }

  #endIdle(): void {
    const now = performance.now();
    for (const socket of this.#open) {
      const answer = this.#answers.get(socket);
      if (answer && !answer.writableFinished) continue;
      const idle = this.#idle.get(socket);
      // Bytes without a request are the beginning of one.
      if (!idle || idle.received !== socket.bytesRead) {
        this.#idle.set(socket, { since: now, received: socket.bytesRead });
      } else if (now - idle.since >= this.#graceMs) {
        socket.destroySoon();
      }
    }
  }

  #gone(socket?: Socket): void {
    if (socket) this.#open.delete(socket);
    if (this.#draining && this.#open.size === 0) this.#ended.resolve();
  }
}
