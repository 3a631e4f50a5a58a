/** Between replicas and Postgres: breaks connections in the middle of a commit. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** The commit never gets there; or it is done, and its answer never comes. */
export type CommitFault = 'lose commit' | 'lose answer';

export interface PostgresProxy {
  /** `postgres://…` without a database. */
  readonly url: string;
  /** Commits that were broken in that way so far. */
  broken(fault: CommitFault): number;
  /** Breaks one commit of `every`, by turns in each way, until `heal`. */
  break(every: number): void;
  heal(): void;
  close(): Promise<void>;
}

/** As the simple query protocol sends it: type, length, text, zero. */
const commit = Buffer.concat([
  Buffer.from('Q'),
  Buffer.from([0, 0, 0, 11]),
  Buffer.from('commit\0'),
]);

/** `upstream`: a URL without a database. */
export async function startPostgresProxy(upstream: string): Promise<PostgresProxy> {
  const { hostname, port, username } = new URL(upstream);
  const sockets = new Set<Socket>();
  const counts: Record<CommitFault, number> = { 'lose commit': 0, 'lose answer': 0 };
  let every = Number.POSITIVE_INFINITY;
  let commits = 0;

  const faultFor = (bytes: Buffer): CommitFault | undefined => {
    if (!bytes.includes(commit)) return undefined;
    commits += 1;
    if (commits % every !== 0) return undefined;
    const fault = counts['lose commit'] > counts['lose answer'] ? 'lose answer' : 'lose commit';
    counts[fault] += 1;
    return fault;
  };

  const server = createServer((client) => {
    const database = connect(Number(port), hostname);
    const cut = () => {
      client.destroy();
      database.destroy();
    };
    let losing = false;
    client.on('data', (bytes: Buffer) => {
      const fault = faultFor(bytes);
      if (fault === 'lose commit') return cut();
      // What it answers to this is the end of the commit.
      losing ||= fault === 'lose answer';
      database.write(bytes);
    });
    database.on('data', (bytes: Buffer) => {
      if (losing) cut();
      else client.write(bytes);
    });
    for (const [socket, other] of [
      [client, database],
      [database, client],
    ] as const) {
      socket.setNoDelay(true);
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `postgres://${username}@127.0.0.1:${(server.address() as AddressInfo).port}`,
    broken: (fault) => counts[fault],
    break(one) {
      every = one;
    },
    heal() {
      every = Number.POSITIVE_INFINITY;
    },
    async close() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
