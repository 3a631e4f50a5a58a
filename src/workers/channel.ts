import { deserialize, serialize } from 'node:v8';
import { type ErrorInfo, RegistryError, refuse } from '../oci/errors.ts';

/** Whole messages between two processes, in order. */
export interface Pipe {
  send(messages: readonly Uint8Array[]): void;
  receive(listener: (messages: readonly Uint8Array[]) => void): void;
  /** The other process is gone, or has let go. */
  ended(listener: () => void): void;
}

/** What the other end may ask for, by name. Results and refusals go back; what is thrown else is `internal`. */
export type Answers = Readonly<Record<string, (args: never) => unknown>>;

export interface ChannelLimits {
  /** Bytes of one message; larger ones are refused before they are sent. */
  readonly message: number;
  /** Bytes and calls that are under way before further calls wait. */
  readonly bytes: number;
  readonly calls: number;
  /** Calls that wait before further ones are refused. */
  readonly waiting: number;
}

/** The largest command holds a manifest, of 4 MB at most. */
const usualLimits: ChannelLimits = {
  ...{ message: 64 * 2 ** 20, bytes: 32 * 2 ** 20, calls: 2_048, waiting: 16_384 },
};

type Message =
  | { readonly id?: number; readonly ask: string; readonly args: unknown }
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: ErrorInfo };

interface Call {
  readonly bytes: number;
  resolve(result: never): void;
  reject(error: Error): void;
}

/**
 * Calls from either end to the other. Values cross by structured clone: buffers, bigints and undefined are what they
 * were. Messages of one turn of the event loop travel together. What is under way when the other end goes is rejected
 * (`unavailable`): whether it was done is not known.
 */
export class Channel {
  readonly #pipe: Pipe;
  readonly #answers: Answers;
  readonly #limits: ChannelLimits;
  readonly #calls = new Map<number, Call>();
  readonly #waiting: { readonly id: number; readonly message: Uint8Array }[] = [];
  readonly #endings: (() => void)[] = [];
  #out: Uint8Array[] = [];
  #flushing: NodeJS.Immediate | undefined;
  #nextId = 1;
  #bytes = 0;
  #sent = 0;
  #ended = false;

  constructor(pipe: Pipe, answers: Answers, limits: Partial<ChannelLimits> = {}) {
    this.#pipe = pipe;
    this.#answers = answers;
    this.#limits = { ...usualLimits, ...limits };
    pipe.receive((messages) => {
      for (const message of messages) this.#take(deserialize(message) as Message);
    });
    pipe.ended(() => this.#end());
  }

  /** Rejects with the other end's refusal, or `unavailable`: too much at once, or the other end went. */
  call<T>(ask: string, args: unknown): Promise<T> {
    if (this.#ended) return Promise.reject(gone());
    const id = this.#nextId++;
    const message = serialize({ id, ask, args } satisfies Message);
    if (message.byteLength > this.#limits.message) return Promise.reject(tooLarge(this.#limits));
    if (this.#waiting.length >= this.#limits.waiting) return Promise.reject(tooMany());
    return new Promise((resolve, reject) => {
      this.#calls.set(id, { bytes: message.byteLength, resolve, reject });
      this.#waiting.push({ id, message });
      this.#sendWaiting();
    });
  }

  /** Without an answer: what is lost with either process is not missed. */
  tell(ask: string, args: unknown): void {
    this.#send({ ask, args });
  }

  /** Calls of this end that are not answered. */
  get underWay(): number {
    return this.#calls.size;
  }

  onEnd(listener: () => void): void {
    if (this.#ended) listener();
    else this.#endings.push(listener);
  }

  /** A call goes out while others leave room; a large one at the latest when it is alone. */
  #sendWaiting(): void {
    const { bytes, calls } = this.#limits;
    for (;;) {
      const next = this.#waiting[0];
      if (!next) return;
      const fits = this.#bytes + next.message.byteLength <= bytes && this.#sent < calls;
      if (!fits && this.#sent > 0) return;
      this.#waiting.shift();
      this.#bytes += next.message.byteLength;
      this.#sent += 1;
      this.#push(next.message);
    }
  }

  #send(message: Message): void {
    if (!this.#ended) this.#push(serialize(message));
  }

  #push(message: Uint8Array): void {
    this.#out.push(message);
    this.#flushing ??= setImmediate(() => {
      this.#flushing = undefined;
      const out = this.#out;
      this.#out = [];
      if (!this.#ended) this.#pipe.send(out);
    });
  }

  #take(message: Message): void {
    if ('ask' in message) return void this.#answer(message);
    const call = this.#calls.get(message.id);
    if (!call) return;
    this.#calls.delete(message.id);
    this.#bytes -= call.bytes;
    this.#sent -= 1;
    if ('error' in message) call.reject(new RegistryError(message.error));
    else call.resolve(message.result as never);
    this.#sendWaiting();
  }

  async #answer({ id, ask, args }: Extract<Message, { ask: string }>): Promise<void> {
    try {
      const answer = this.#answers[ask];
      if (!answer) throw refuse('internal', `The other process knows no "${ask}".`);
      const result = await answer(args as never);
      if (id !== undefined) this.#send({ id, result });
    } catch (error) {
      if (id !== undefined) this.#send({ id, error: infoOf(error) });
    }
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    this.#waiting.length = 0;
    for (const call of calls) call.reject(gone());
    for (const listener of this.#endings) listener();
  }
}

/** Where the error's cause cannot be cloned it stays behind: the process that threw it has logged it. */
function infoOf(error: unknown): ErrorInfo {
  if (error instanceof RegistryError) return error.info;
  return {
    kind: 'internal',
    message: 'The registry failed.',
    detail: { cause: String((error as Error)?.message ?? error) },
  };
}

function gone(): RegistryError {
  return refuse('unavailable', 'The database cannot be written now.', 'Try again.');
}

function tooMany(): RegistryError {
  return refuse('unavailable', 'Too many writes wait already.', 'Try again in a moment.');
}

function tooLarge({ message }: ChannelLimits): RegistryError {
  return refuse(
    'manifest-too-large',
    `What is to be recorded at once has more than ${message} bytes.`,
    'Push it in parts.',
  );
}
