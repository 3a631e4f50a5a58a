import { connect, type Socket } from 'node:net';
import { shortSocketPath, socketPath } from '../projects/admin-socket.ts';
import { Refused } from './refused.ts';

const timeoutMs = 60_000;
const mostAnswerBytes = 64 * 2 ** 20;

/** A connection to the server that runs on a data folder. */
export interface SocketClient {
  /** The result; rejects with `Refused` where the server refused, or did not answer in a minute. */
  call(method: string, params: unknown): Promise<unknown>;
  close(): void;
}

/** Undefined where no server runs on the folder. */
export async function connectSocket(folder: string): Promise<SocketClient | undefined> {
  const socket = connect(shortSocketPath(folder));
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.once('connect', resolve);
  socket.once('error', reject);
  try {
    await promise;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'ENOTSOCK') return undefined;
    throw new Refused(
      {
        code: 'unavailable',
        message: `The server's socket ${socketPath(folder)} cannot be used (${code}).`,
        hint: 'Run this as the user that Gantry runs as.',
      },
      { cause: error },
    );
  }
  // Between two calls nobody else listens, and an error would end the program.
  socket.on('error', () => {});
  return {
    call: (method, params) => ask(socket, method, params),
    close: () => socket.destroy(),
  };
}

async function ask(socket: Socket, method: string, params: unknown): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const lost = (why: string): void =>
    reject(
      new Refused({
        code: 'unavailable',
        message: `The server ${why}; whether it did what was asked is not known.`,
        hint: 'Look at what there is, then try again: npx gantry admin status',
      }),
    );
  let text = '';
  const onTimeout = () => lost(`did not answer in ${timeoutMs / 1000} s`);
  const onData = (chunk: string) => {
    text += chunk;
    const end = text.indexOf('\n');
    if (end >= 0) resolve(text.slice(0, end));
    else if (text.length > mostAnswerBytes) lost('sent an answer without an end');
  };
  const onEnd = () => lost('closed the connection');
  socket.setEncoding('utf8').setTimeout(timeoutMs);
  const listeners = { timeout: onTimeout, data: onData, error: onEnd, close: onEnd };
  for (const [event, listener] of Object.entries(listeners)) socket.on(event, listener);
  socket.write(`${JSON.stringify({ id: 1, method, params })}\n`);
  const line = await promise.finally(() => {
    for (const [event, listener] of Object.entries(listeners)) socket.off(event, listener);
  });
  const answer = JSON.parse(line) as {
    result?: unknown;
    error?: { code: string; message: string; hint: string };
  };
  if (answer.error) throw new Refused(answer.error);
  return answer.result;
}
