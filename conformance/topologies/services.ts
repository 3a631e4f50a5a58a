/** What a topology's servers share: an S3 server, a Postgres. Started once for all files of a suite. */
import { createHash } from 'node:crypto';
import { createDatabase, type PostgresServer, startPostgres } from '../tools/postgres.ts';
import { findVersitygw, startVersitygw } from '../tools/versitygw.ts';
import type { Topology } from './topology.ts';

/** Can be written down, and read by another process. */
export interface Services {
  readonly topology: string;
  /** Settings by which a server reaches the S3 server, without its bucket's prefix. */
  readonly s3?: Readonly<Record<string, string>>;
  readonly bucket?: string;
  /** URL of a Postgres, without a database. */
  readonly postgres?: string;
}

export interface RunningServices {
  readonly services: Services;
  /** Where they are this process's own. */
  readonly postgres?: PostgresServer | undefined;
  stop(): Promise<void>;
}

/** Those that GANTRY_TEST_SERVICES describes, which who started them ends; else some of its own. */
export async function servicesFor(topology: Topology): Promise<RunningServices> {
  const given = process.env.GANTRY_TEST_SERVICES;
  const known = given ? (JSON.parse(given) as Services) : undefined;
  if (known?.topology === topology.name) return { services: known, stop: async () => {} };
  return await startServices(topology);
}

export async function startServices(topology: Topology): Promise<RunningServices> {
  await using stack = new AsyncDisposableStack();
  let postgres: PostgresServer | undefined;
  let services: Services = { topology: topology.name };
  if (topology.blobs === 's3') {
    const found = findVersitygw();
    if ('missing' in found) throw new Error(found.missing);
    const s3 = await startVersitygw({ program: found.path });
    stack.defer(() => s3.stop());
    services = {
      ...services,
      bucket: s3.bucket,
      s3: {
        GANTRY_S3_ENDPOINT: s3.endpoint,
        GANTRY_S3_REGION: s3.region,
        AWS_ACCESS_KEY_ID: s3.credentials.accessKeyId,
        AWS_SECRET_ACCESS_KEY: s3.credentials.secretAccessKey,
      },
    };
  }
  if (topology.database === 'postgres') {
    postgres = await startPostgres();
    const { stop } = postgres;
    stack.defer(stop);
    services = { ...services, postgres: postgres.url.slice(0, postgres.url.lastIndexOf('/')) };
  }
  const started = stack.move();
  return { services, postgres, stop: () => started.disposeAsync() };
}

/**
 * Settings of the servers that belong to `folder`: a bucket's prefix, a database and a key of their own, the same
 * each time, so that they go on where they were.
 */
export async function settingsOn(
  { bucket, s3, postgres }: Services,
  folder: string,
): Promise<Record<string, string>> {
  const own = createHash('sha256').update(folder).digest('hex');
  const settings: Record<string, string> = {};
  if (s3) Object.assign(settings, s3, { GANTRY_STORAGE: `s3://${bucket}/${own.slice(0, 16)}` });
  if (postgres) {
    settings.GANTRY_DATABASE_URL = await createDatabase(postgres, `of_${own.slice(0, 16)}`);
    settings.GANTRY_SECRET_KEY = own;
  }
  return settings;
}
