import { connect } from 'node:net';
import type { PortProbe } from '../../ports/runtime-driver.ts';
import { isOfContainer, listeners } from './local-process.ts';

export interface ProbeTarget {
  /** Of the container. */
  readonly id: string;
  readonly address: string;
  readonly port: number;
  /** Of its first process, as the engine numbers it; undefined where that is on another machine. */
  readonly pid: number | undefined;
  /** For one connection, in milliseconds. */
  readonly limit: number;
}

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'getsockopt: connection refused',
  EHOSTUNREACH: 'connect: no route to host',
  ENETUNREACH: 'connect: network is unreachable',
  ECONNRESET: 'read: connection reset by peer',
  ETIMEDOUT: 'i/o timeout',
};

/** A connection from this machine, as the gateway makes them; what listens is read where it is refused. */
export async function probePort(target: ProbeTarget): Promise<PortProbe> {
  const { id, address, port, pid } = target;
  const failed = await dial(target);
  if (failed === undefined) return { listening: 'everywhere' };
  const host = address.includes(':') ? `[${address}]` : address;
  const text = `dial tcp ${host}:${port}: ${reasons[failed] ?? failed}`;
  const seen = pid !== undefined && (await isOfContainer(pid, id));
  const all = seen ? await listeners(pid) : [];
  const here = all.filter((each) => each.port === port);
  // Bound elsewhere: it began to listen after the connection was refused, and the next probe sees it.
  const onlyLoopback = here.length > 0 && here.every(({ bound }) => bound === 'loopback');
  if (onlyLoopback) return { listening: 'loopback-only', dial: text };
  // On loopback there may be the engine's own resolver, and nothing there could be asked from outside.
  const open = all.filter((each) => each.port !== port && each.bound === 'elsewhere');
  const others = [...new Set(open.map((each) => each.port))].sort((a, b) => a - b);
  return { listening: 'nowhere', dial: text, ...(others.length > 0 && { others }) };
}

/** Undefined: connected. Else the code of the error. */
function dial({ address, port, limit }: ProbeTarget): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port });
    const end = (failed: string | undefined) => {
      socket.destroy();
      resolve(failed);
    };
    socket.setTimeout(limit, () => end('ETIMEDOUT'));
    socket.once('connect', () => end(undefined));
    socket.once('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
  });
}
