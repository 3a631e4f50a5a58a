/** Two replicas on Postgres and one blob store, behind nginx: the topology of docker-compose.yml without containers. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Bootstrap,
  type Launched,
  launch,
  readBootstrap,
} from '../../faults/support/gantry.ts';
import { basic, Registry } from '../../spec/client.ts';
import { nginxObstacle, startNginx } from '../../tools/nginx.ts';
import { type PostgresServer, postgresObstacle, startPostgres } from '../../tools/postgres.ts';
import { findVersitygw, startVersitygw } from '../../tools/versitygw.ts';

export type BlobsOn = 's3' | 'folder';

export interface Topology {
  /** nginx. */
  readonly origin: string;
  /** Each replica, past nginx. */
  readonly origins: readonly string[];
  readonly postgres: PostgresServer;
  readonly bootstrap: Bootstrap;
  readonly project: string;
  readonly authorization: string;
  replica(at: number): Launched;
  runs(at: number): boolean;
  /** Which of them leads, as its log says. */
  leader(): number;
  /** Through nginx, or at one replica. Its connections are closed at the end. */
  registry(at?: number, authorization?: string): Registry;
  /** Starts one again that has ended. */
  start(at: number): Promise<void>;
  stop(): Promise<void>;
}

export function obstacle(blobs: BlobsOn = 's3'): string | undefined {
  const store = findVersitygw();
  const s3 = blobs === 's3' && !('path' in store) ? store.missing : undefined;
  return postgresObstacle() ?? nginxObstacle() ?? s3;
}

export async function startTopology(
  blobs: BlobsOn,
  settings: Readonly<Record<string, string>> = {},
): Promise<Topology> {
  const closers: (() => Promise<unknown> | unknown)[] = [];
  const stop = async () => {
    for (const close of closers.reverse()) await close();
    closers.length = 0;
  };
  try {
    return await build(blobs, settings, closers, stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

async function build(
  blobs: BlobsOn,
  settings: Readonly<Record<string, string>>,
  closers: (() => Promise<unknown> | unknown)[],
  stop: () => Promise<void>,
): Promise<Topology> {
  const folder = await mkdtemp(join(tmpdir(), 'gantry-replicas-'));
  closers.push(() => rm(folder, { recursive: true, force: true }));
  const postgres = await startPostgres();
  closers.push(() => postgres.stop());
  const [port, ...ports] = await freePorts(3);
  const origin = `http://127.0.0.1:${port}`;
  const nginx = await startNginx(
    port!,
    ports.map((own) => `127.0.0.1:${own}`),
  );
  closers.push(() => nginx.stop());
  const env = {
    ...(await storeOf(blobs, folder, closers)),
    GANTRY_DATABASE_URL: postgres.url,
    GANTRY_SECRET_KEY: randomBytes(32).toString('hex'),
    GANTRY_PUBLIC_URL: origin,
    GANTRY_TRUSTED_PROXIES: '127.0.0.1',
    GANTRY_RATE_LOGIN_FAILURES: '0',
    GANTRY_FUNCTIONS: 'off',
    GANTRY_DRAIN_TIMEOUT: '5s',
    ...settings,
  };
  const replicas: Launched[] = [];
  const dataOf = (at: number) => join(folder, `replica-${at}`);
  const alive = new Set<number>();
  const begin = (at: number) => {
    const one = launch({
      data: dataOf(at),
      env: { ...env, GANTRY_PORT: String(ports[at]) },
    });
    replicas[at] = one;
    alive.add(one.pid);
    void one.exited.then(() => alive.delete(one.pid));
    return one.ready;
  };
  closers.push(() => Promise.all(replicas.map((one) => one.end('SIGTERM'))));
  // At once: what a first start makes is made by one of them.
  await Promise.all(ports.map((_, at) => begin(at)));
  const bootstrap = ports
    .map((_, at) => {
      try {
        return readBootstrap(dataOf(at));
      } catch {
        return undefined;
      }
    })
    .find((found) => found !== undefined)!;
  const authorization = basic(bootstrap.teamId, bootstrap.token);
  const registries: Registry[] = [];
  closers.push(() => {
    for (const registry of registries) registry.close();
  });
  const origins = ports.map((own) => `http://127.0.0.1:${own}`);
  return {
    ...{ origin, origins, postgres, bootstrap, authorization, stop },
    project: `${bootstrap.teamSlug}/${bootstrap.projectSlug}`,
    replica: (at) => replicas[at]!,
    runs: (at) => alive.has(replicas[at]!.pid),
    leader() {
      const epochs = replicas.map((one) => {
        const told = [...one.output().matchAll(/"epoch":(\d+)[^\n]*"lease":"maintenance"/g)];
        const other = [...one.output().matchAll(/"lease":"maintenance"[^\n]*"epoch":(\d+)/g)];
        return Math.max(0, ...[...told, ...other].map((match) => Number(match[1])));
      });
      return epochs.indexOf(Math.max(...epochs));
    },
    registry(at, own = authorization) {
      const registry = new Registry(at === undefined ? origin : origins[at]!, own);
      registries.push(registry);
      return registry;
    },
    async start(at) {
      await begin(at);
    },
  };
}

async function storeOf(
  blobs: BlobsOn,
  folder: string,
  closers: (() => Promise<unknown> | unknown)[],
): Promise<Record<string, string>> {
  if (blobs === 'folder') return { GANTRY_BLOBS: join(folder, 'blobs') };
  const found = findVersitygw();
  if (!('path' in found)) throw new Error('no versitygw');
  const s3 = await startVersitygw({ program: found.path });
  closers.push(() => s3.stop());
  return {
    GANTRY_STORAGE: `s3://${s3.bucket}`,
    GANTRY_S3_ENDPOINT: s3.endpoint,
    AWS_ACCESS_KEY_ID: s3.credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: s3.credentials.secretAccessKey,
    AWS_REGION: s3.region,
  };
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve, reject) => {
          server.once('error', reject);
          server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
        }),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  return ports;
}
