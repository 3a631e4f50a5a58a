import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { listenPrivately, shortPathOf } from '../config/private-socket.ts';
import { RegistryError, refuse } from '../oci/errors.ts';
import type { Admin } from './admin.ts';

/**
 * The operator's door: `<data>/admin.sock`, mode 0600, for whoever may read the data folder anyway.
 * Each line is a JSON request `{id, method, params}`, answered by a line `{id, result}` or
 * `{id, error: {code, message, hint, detail}}`, in the order of the requests.
 */
export interface AdminSocket {
  /** Takes no new requests, lets those under way be answered, removes the file. */
  close(): Promise<void>;
}

export interface AdminSocketDeps {
  readonly folder: string;
  readonly admin: Pick<Admin, 'handle'>;
  /** Faults, which the caller is told of in general words only. */
  readonly failed: (error: unknown) => void;
}

const mostRequestBytes = 64 * 1024;
const mostConnections = 32;
const idleMs = 60_000;
const socketName = 'admin.sock';

export function socketPath(folder: string): string {
  return join(folder, socketName);
}

/** What to give to `listen` and `connect`. */
export function shortSocketPath(folder: string): string {
  return shortPathOf(folder, socketName);
}

/**
 * Opens the socket of a data folder that this process has locked. A file that an ended process left is
 * replaced; one that is answered is refused with kind `conflict`.
 */
export async function openAdminSocket(deps: AdminSocketDeps): Promise<AdminSocket> {
  const path = shortSocketPath(deps.folder);
  const connections = new Set<Connection>();
  const server = createServer((socket) => {
    const connection = new Connection(socket, deps);
    connections.add(connection);
    socket.on('close', () => connections.delete(connection));
  });
  server.maxConnections = mostConnections;
  await listenPrivately(server, path);
  return {
    async close() {
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      for (const connection of connections) connection.end();
      await closed.promise;
    },
  };
}

class Connection {
  readonly #socket: Socket;
  readonly #deps: AdminSocketDeps;
  #text = '';
  #queue: Promise<void> = Promise.resolve();

  constructor(socket: Socket, deps: AdminSocketDeps) {
    this.#socket = socket;
    this.#deps = deps;
    socket.setEncoding('utf8');
    socket.setTimeout(idleMs, () => socket.destroy());
    socket.on('data', (text: string) => this.#take(text));
    // The client is gone; what it asked for is done all the same.
    socket.on('error', () => socket.destroy());
  }

  /** Ends it once what was asked is answered. */
  end(): void {
    this.#socket.pause();
    void this.#queue.then(() => this.#socket.end());
  }

  #take(text: string): void {
    const lines = (this.#text + text).split('\n');
    this.#text = lines.pop()!;
    for (const line of lines) {
      if (line.trim() !== '') this.#queue = this.#queue.then(() => this.#answer(line));
    }
    if (Buffer.byteLength(this.#text) <= mostRequestBytes) return;
    this.#text = '';
    this.#queue = this.#queue.then(() => {
      this.#send({ error: describe(tooLong()) });
      this.#socket.end();
    });
    this.#socket.pause();
  }

  async #answer(line: string): Promise<void> {
    let id: unknown = null;
    try {
      if (Buffer.byteLength(line) > mostRequestBytes) throw tooLong();
      const request = parse(line);
      id = request.id ?? null;
      this.#send({
        id,
        result: await this.#deps.admin.handle(request.method, request.params ?? {}),
      });
    } catch (error) {
      if (!(error instanceof RegistryError)) this.#deps.failed(error);
      this.#send({ id, error: describe(error) });
    }
  }

  #send(message: object): void {
    if (this.#socket.writable) this.#socket.write(`${JSON.stringify(message)}\n`);
  }
}

function parse(line: string): { id?: unknown; method: string; params?: unknown } {
  try {
    const value = JSON.parse(line);
    if (typeof value?.method === 'string') return value;
  } catch {
    // Told below, as every other line that is no request.
  }
  throw refuse(
    'invalid',
    'A request is one line of JSON: {"id": 1, "method": "team.list", "params": {}}.',
    'npx gantry admin --help',
  );
}

function tooLong(): RegistryError {
  return refuse(
    'invalid',
    `A request may have at most ${mostRequestBytes} bytes.`,
    'Ask for less at once.',
  );
}

function describe(error: unknown): object {
  if (error instanceof RegistryError) {
    const { kind, message, hint, detail } = error.info;
    return { code: kind, message, hint, ...(detail && { detail }) };
  }
  return {
    code: 'internal',
    message: 'The server failed to do this; its log has the cause.',
    hint: 'Look at the log of the server, and try again.',
  };
}
