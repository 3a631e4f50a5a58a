/** Ports for programs that are told which to listen on, and that listen on them again after a restart. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';

/** From here on there is none that `fetch` refuses to call. */
const lowest = 10_081;

/**
 * Of those that the system gives to nobody who asks for any: a client's connection that was given a server's port
 * while the server was away would keep it from coming back.
 */
export async function freePorts(count: number): Promise<number[]> {
  const end = firstGiven();
  const found = new Set<number>();
  for (let tries = 0; found.size < count; tries++) {
    if (tries > 1_000) throw new Error(`there are no ${count} free ports from ${lowest} to ${end}`);
    // Anywhere: other processes of the tests look for some at the same time.
    const port = lowest + Math.floor(Math.random() * (end - lowest));
    if (await isFree(port)) found.add(port);
  }
  return [...found];
}

export async function freePort(): Promise<number> {
  const [port] = await freePorts(1);
  return port!;
}

/** The first port that Linux gives to who asks for any. */
function firstGiven(): number {
  try {
    const range = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'latin1');
    return Math.max(Number.parseInt(range, 10), lowest + 1_000);
  } catch {
    return 32_768;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}
