/** What of a server's memory lives: resident memory has with it what is dead and not yet collected. */
import { setTimeout as delay } from 'node:timers/promises';

/** A server that was started with `inspectorOption`. */
export interface Inspected {
  readonly pid: number;
  /** Everything that it wrote. */
  output(): string;
}

/**
 * For NODE_OPTIONS: where a server's inspector listens once it is asked to. Port 0 is any free one, for servers side
 * by side; one with workers needs another, from which Node counts on for them.
 */
export const inspectorOption = (port: number): string => `--inspect-port=127.0.0.1:${port}`;

const openWithinMs = 10_000;
const answerWithinMs = 60_000;

/** Megabytes of the main thread's heap and of its buffers, once all that is dead was collected. */
export async function liveMegabytes(server: Inspected): Promise<number> {
  const socket = new WebSocket(await addressOf(server));
  const late = setTimeout(() => socket.close(), answerWithinMs);
  try {
    await opened(socket);
    await ask(socket, 1, 'HeapProfiler.collectGarbage');
    const { usedSize, backingStorageSize } = (await ask(socket, 2, 'Runtime.getHeapUsage')) as {
      usedSize: number;
      backingStorageSize: number;
    };
    return Math.round((usedSize + backingStorageSize) / 1e6);
  } finally {
    clearTimeout(late);
    socket.close();
  }
}

/** Node opens its inspector on SIGUSR1, and says where; asked again it says nothing and goes on. */
async function addressOf(server: Inspected): Promise<string> {
  const said = () => /Debugger listening on (ws:\/\/\S+)/.exec(server.output())?.[1];
  if (!said()) process.kill(server.pid, 'SIGUSR1');
  for (const deadline = performance.now() + openWithinMs; ; await delay(50)) {
    const address = said();
    if (address) return address;
    if (performance.now() > deadline) throw new Error('the inspector of a server did not open');
  }
}

function opened(socket: WebSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.addEventListener('open', () => resolve());
    socket.addEventListener('error', () => reject(new Error('the inspector did not answer')));
  });
}

function ask(socket: WebSocket, id: number, method: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    socket.addEventListener('message', ({ data }) => {
      const answer = JSON.parse(String(data)) as { id?: number; result?: unknown; error?: unknown };
      if (answer.id !== id) return;
      if (answer.error) reject(new Error(`${method}: ${JSON.stringify(answer.error)}`));
      else resolve(answer.result);
    });
    socket.addEventListener('close', () => reject(new Error(`${method} was not answered`)));
    socket.send(JSON.stringify({ id, method }));
  });
}
