import { Agent } from 'node:http';
import { Agent as TlsAgent } from 'node:https';
import { connect } from 'node:net';
import type { Duplex, Readable } from 'node:stream';
import { setTimeout as after } from 'node:timers/promises';
import { inspect } from 'node:util';
import type Docker from 'dockerode';
import { RuntimeError } from '../../ports/runtime-driver.ts';
import type { EngineAddress } from './engine-address.ts';

/** What the engine refused: its status and its text. */
export class EngineError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export interface EngineRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE' | 'HEAD';
  /** Without the API's version and the query. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly body?: object;
  /** A tar. */
  readonly file?: Readable;
  readonly auth?: { readonly username: string; readonly password: string };
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds until the answer, or for a stream its head, is there; 0: none. */
  readonly deadline?: number;
  /** It makes or takes away much: a busy engine may take four times as long as for others. */
  readonly slow?: boolean;
}

export interface EngineOptions {
  readonly address: EngineAddress;
  /** Of a call that says nothing else, in milliseconds. */
  readonly deadline: number;
  /** Such as `v1.41`; undefined: the engine's newest. */
  readonly version?: string | undefined;
}

/** The modem of dockerode, as far as it is used: its types know it as `any`. */
interface Modem {
  dial(request: object, callback: (error: unknown, answer: unknown) => void): void;
}

/** Whatever is not an error to the caller; all others become an `EngineError`. */
const accepted = Object.fromEntries([101, 200, 201, 202, 204, 304].map((code) => [code, true]));

/**
 * One engine's API. Calls go through dockerode's modem, not its containers and images: these put a request's
 * whole body into its URL, too (an environment with its secrets, in the engine's log), and do not give a
 * stream's head away when it comes.
 *
 * Every method rejects with `EngineError` where the engine refuses, with the reason of `signal` where that
 * ended it, and with `RuntimeError` `unavailable` where the engine cannot be reached or does not answer in time.
 */
export class Engine {
  readonly address: EngineAddress;
  readonly #settings: Docker.DockerOptions;
  #modem: Promise<Modem> | undefined;
  readonly #agent: Agent;
  readonly #deadline: number;

  constructor(options: EngineOptions) {
    this.address = options.address;
    this.#deadline = options.deadline;
    const { socketPath, host, port, tls } = options.address;
    const pool = { keepAlive: true, maxFreeSockets: 32 };
    this.#agent = tls
      ? new TlsAgent({
          ...{ ...pool, ca: tls.ca },
          ...(tls.cert && tls.key ? { cert: tls.cert, key: tls.key } : {}),
        })
      : new Agent(pool);
    // The modem prints all that it sends for its debug log, kept or not: with it each socket and request of the agent.
    Object.defineProperty(this.#agent, inspect.custom, { value: () => '[agent]' });
    // Its types do not know the agent, which it takes.
    const settings: Docker.DockerOptions & { agent: Agent } = {
      ...(socketPath ? { socketPath } : { host: host!, port: port! }),
      // dockerode reads DOCKER_HOST by itself, and would prefer it.
      ...(socketPath ? { host: undefined as unknown as string } : {}),
      protocol: tls ? 'https' : 'http',
      agent: this.#agent,
      ...(options.version ? { version: options.version } : {}),
    };
    this.#settings = settings;
  }

  /** The answer's JSON. */
  async call<Answer = unknown>(request: EngineRequest): Promise<Answer> {
    return (await this.#dial(request, {})) as Answer;
  }

  /** The answer's bytes, once its head is there. */
  async stream(request: EngineRequest): Promise<Readable> {
    return (await this.#dial(request, { isStream: true })) as Readable;
  }

  /** A connection that is the command's standard input and output. */
  async hijack(request: EngineRequest): Promise<Duplex> {
    return (await this.#dial(request, { isStream: true, hijack: true })) as Duplex;
  }

  close(): void {
    this.#agent.destroy();
  }

  /** dockerode takes 35 MB of memory: only who has an engine loads it. */
  #loaded(limit: number): Promise<Modem> {
    this.#modem ??= reach(this.address, limit)
      .then(() => import('dockerode'))
      .then(({ default: Dockerode }) => new Dockerode(this.#settings).modem as Modem)
      .catch((error: unknown) => {
        this.#modem = undefined;
        throw error;
      });
    return this.#modem;
  }

  async #dial(request: EngineRequest, kind: object): Promise<unknown> {
    try {
      return await this.#dialOnce(request, kind);
    } catch (error) {
      if (request.file || !foundClosed(request, error)) throw error;
      return await this.#dialOnce(request, kind);
    }
  }

  async #dialOnce(request: EngineRequest, kind: object): Promise<unknown> {
    const { signal } = request;
    signal?.throwIfAborted();
    const limit = request.deadline ?? this.#deadline * (request.slow ? 4 : 1);
    const modem = await this.#loaded(limit).catch((error: unknown) => {
      throw this.#explained(error, request, undefined);
    });
    signal?.throwIfAborted();
    const abort = new AbortController();
    const onAbort = () => abort.abort();
    signal?.addEventListener('abort', onAbort, { once: true });
    let late = false;
    const timer = limit
      ? setTimeout(() => {
          late = true;
          abort.abort();
        }, limit)
      : undefined;
    let answer: unknown;
    try {
      answer = await new Promise((resolve, reject) => {
        // The modem does not tell of an answer that breaks off in its midst.
        abort.signal.addEventListener('abort', () => reject(new Error('aborted')), { once: true });
        modem.dial(dialled(request, kind, abort.signal), (error, answer) =>
          error ? reject(error as Error) : resolve(answer),
        );
      });
    } catch (error) {
      signal?.removeEventListener('abort', onAbort);
      // Refused in the midst of a body: the rest of it is not sent, and its connection is of no more use.
      if (request.file) abort.abort();
      if (signal?.aborted) throw signal.reason;
      throw this.#explained(error, request, late ? limit : undefined);
    } finally {
      clearTimeout(timer);
    }
    // A stream is the caller's signal's to end until it closes.
    if (signal && 'isStream' in kind) {
      (answer as Readable).once('close', () => signal.removeEventListener('abort', onAbort));
    } else signal?.removeEventListener('abort', onAbort);
    return answer;
  }

  #explained(error: unknown, request: EngineRequest, late: number | undefined): Error {
    const { statusCode, json, message } = error as {
      statusCode?: number;
      json?: { message?: string };
      message: string;
    };
    const what = `${request.method} ${request.path}`;
    if (late !== undefined) {
      return new RuntimeError(
        'unavailable',
        `The container engine at ${this.address.name} did not answer ${what} within ${late} ms.`,
      );
    }
    if (statusCode !== undefined) {
      return new EngineError(statusCode, (json?.message ?? withoutPrefix(message)).trim());
    }
    return new RuntimeError(
      'unavailable',
      `The container engine at ${this.address.name} cannot be reached: ${message}.`,
      { cause: error },
    );
  }
}

/** Rejects with the error of a connection that is not taken, within `limit` milliseconds; 0: whenever. */
function reach({ socketPath, host, port }: EngineAddress, limit: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = socketPath ? connect(socketPath) : connect(port!, host);
    socket.setTimeout(limit, () => socket.destroy(new Error('it took no connection in time')));
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.destroy();
      resolve();
    });
  });
}

/**
 * A kept connection that an engine closed at its end, as seen at the next request: by EPIPE before anything was
 * heard there, by ECONNRESET perhaps after.
 */
function foundClosed({ method }: EngineRequest, error: unknown): boolean {
  const { code } = ((error as Error).cause ?? {}) as NodeJS.ErrnoException;
  return code === 'EPIPE' || (code === 'ECONNRESET' && method === 'GET');
}

function dialled(request: EngineRequest, kind: object, abortSignal: AbortSignal): object {
  const query = Object.fromEntries(
    Object.entries(request.query ?? {}).filter(([, value]) => value !== undefined),
  );
  return {
    path: Object.keys(query).length > 0 ? `${request.path}?` : request.path,
    method: request.method,
    // The modem writes `_query` into the URL and `_body` into the body.
    options: { _query: query, _body: request.body ?? {} },
    ...(request.file ? { file: request.file } : {}),
    ...(request.auth ? { authconfig: request.auth } : {}),
    abortSignal,
    statusCodes: accepted,
    ...kind,
  };
}

/** The modem's `(HTTP code 409) unexpected - text `. */
function withoutPrefix(message: string): string {
  return message.replace(/^\(HTTP code \d+\) .*? - /, '');
}

/** Resolves after a moment; for what has to be asked again. */
export function moment(ms: number): Promise<void> {
  return after(ms, undefined, { ref: false });
}
