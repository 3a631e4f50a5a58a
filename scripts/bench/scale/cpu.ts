/** What a server and its database take of the processor. */
import pg from 'pg';
import { preciseCpuSeconds } from '../processes.ts';

export interface CpuMeter {
  /** CPU seconds since some time before: of the server, and of its connections to Postgres. */
  read(): Promise<{ readonly server: number; readonly database: number }>;
  close(): Promise<void>;
}

/**
 * `pid`: of the server, which has SQLite within. `url`: its database on Postgres, of which the processes of its
 * connections count: what Postgres does for other databases and by itself (autovacuum, checkpoints) does not.
 */
export async function openCpuMeter(pid: number, url: string | undefined): Promise<CpuMeter> {
  const server = () => preciseCpuSeconds(pid);
  if (url === undefined) {
    return { read: async () => ({ server: server(), database: 0 }), close: async () => {} };
  }
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  /** CPU seconds of each at its last reading: a connection that has ended keeps what it took. */
  const taken = new Map<number, number>();
  return {
    async read() {
      const { rows } = await client.query<{ pid: number }>(
        'select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() ' +
          "and backend_type in ('client backend', 'parallel worker')",
      );
      for (const { pid } of rows) {
        taken.set(pid, Math.max(preciseCpuSeconds(pid), taken.get(pid) ?? 0));
      }
      return { server: server(), database: [...taken.values()].reduce((sum, one) => sum + one, 0) };
    },
    close: () => client.end(),
  };
}
