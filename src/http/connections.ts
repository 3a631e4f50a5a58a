import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** How often connections are looked for whose last answer has been sent. */
const checkMs = 50;

/**
 * The connections of a server, so that a drain ends each after its last answer. Node's own
 * `closeIdleConnections` (also a part of `close`) takes an answer for sent that is only written: it would cut
 * the end of what a slow client is pulling.
 */
export class Connections {
  readonly #open = new Set<Socket>();
  readonly #answers = new WeakMap<Socket, ServerResponse>();
  #draining: NodeJS.Timeout | undefined;

  opened(socket: Socket): void {
    this.#open.add(socket);
    socket.once('close', () => this.#open.delete(socket));
  }

  answering({ socket }: IncomingMessage, res: ServerResponse): void {
    this.#answers.set(socket, res);
    // A client that keeps its connection busy would never let it be idle.
    if (this.#draining) res.shouldKeepAlive = false;
  }

  /** From here on, no connection outlives the answers that it waits for. */
  drain(): void {
    this.#draining ??= setInterval(() => this.#endAnswered(), checkMs);
    this.#endAnswered();
  }

  /** Cuts what is left. */
  cut(): void {
    clearInterval(this.#draining);
    for (const socket of this.#open) socket.destroy();
  }

  #endAnswered(): void {
    for (const socket of this.#open) {
      const answer = this.#answers.get(socket);
      if (!answer || answer.writableFinished) socket.destroySoon();
    }
  }
}
