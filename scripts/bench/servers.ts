/** The two registries, each on a folder (or a part of a bucket) of its own, on a free loopback port. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { findProgram } from '../../conformance/tools/cache.ts';
import { freePort } from '../../conformance/tools/free-ports.ts';
import { startEnv } from '../../conformance/tools/start-env.ts';
import type { S3Server } from '../../conformance/tools/versitygw.ts';
import { type Program, startProgram } from './processes.ts';

export interface Server {
  readonly name: 'gantry' | 'distribution';
  /** `http://127.0.0.1:<port>`. */
  readonly url: string;
  readonly pid: number;
  /** `team:token`, for clients that log in by themselves; undefined: there is no login. */
  readonly credentials: string | undefined;
  /** Headers for requests to `repository`: Gantry's carry a fresh registry token. */
  headers(repository: string): Promise<Readonly<Record<string, string>>>;
  stop(): Promise<void>;
}

/** What the two keep blobs in: their own folder, or a bucket. */
export interface Place {
  readonly folder: string;
  readonly s3?: S3Server;
  /** Gantry sends clients to the S3 server by this URL; undefined: bytes go through it. */
  readonly publicEndpoint?: string;
  /** More settings of Gantry. */
  readonly env?: Readonly<Record<string, string>>;
}

export const root = resolve(import.meta.dirname, '../..');
const startWithin = 30_000;

/** What the first start of a server left for its user. */
export interface Running {
  readonly url: string;
  readonly pid: number;
  readonly teamId: string;
  readonly token: string;
  stop(): Promise<void>;
}

/** Gantry from the sources, on a free port, with the folder `data`; resolves when it is ready. */
export async function startServer(options: {
  data: string;
  env: Readonly<Record<string, string>>;
  /** Of the start: a migration may take a while. */
  withinMs?: number;
}): Promise<Running> {
  const { data, env, withinMs } = options;
  const program = startProgram(process.execPath, ['src/main.ts'], {
    cwd: root,
    env: { ...startEnv, GANTRY_PORT: String(await freePort()), ...env, GANTRY_DATA: data },
  });
  let first: { url: string; teamId: string; token: string } | undefined;
  await answering(
    program,
    async () => {
      // A start before this one may have left another port in the file.
      if (!program.words().includes('Gantry is ready')) return false;
      first ??= JSON.parse(readFileSync(join(data, 'bootstrap.json'), 'utf8')) as typeof first;
      return (await fetch(`${first?.url}/readyz`)).ok;
    },
    withinMs,
  );
  return { ...first!, pid: program.pid, stop: () => program.stop() };
}

export async function startGantry(place: Place): Promise<Server> {
  const { s3, publicEndpoint } = place;
  const { url, pid, teamId, token, stop } = await startServer({
    data: join(place.folder, 'gantry'),
    env: { ...(s3 && s3Settings(s3, publicEndpoint)), ...place.env },
  });
  const credentials = `${teamId}:${token}`;
  return {
    ...{ name: 'gantry', url, pid, credentials, stop },
    headers: (repository) => tokenHeaders(url, credentials, repository),
  };
}

export function s3Settings(s3: S3Server, publicEndpoint?: string): Record<string, string> {
  return {
    GANTRY_STORAGE: `s3://${s3.bucket}/gantry`,
    GANTRY_S3_ENDPOINT: s3.endpoint,
    GANTRY_S3_REGION: s3.region,
    AWS_ACCESS_KEY_ID: s3.credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: s3.credentials.secretAccessKey,
    ...(publicEndpoint && { GANTRY_S3_PUBLIC_ENDPOINT: publicEndpoint }),
  };
}

/** A fresh registry token for `repository`, as a header. */
export async function tokenHeaders(
  url: string,
  credentials: string,
  repository: string,
): Promise<Readonly<Record<string, string>>> {
  const scope = encodeURIComponent(`repository:${repository}:pull,push`);
  const answer = await fetch(`${url}/token?service=bench&scope=${scope}`, {
    headers: { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` },
  });
  if (!answer.ok) throw new Error(`Gantry gave no token: ${await answer.text()}`);
  return { authorization: `Bearer ${((await answer.json()) as { token: string }).token}` };
}

/** Why the peer cannot be run, or undefined. */
export function missingPeer(): string | undefined {
  const found = findProgram('registry');
  return 'missing' in found ? found.missing : undefined;
}

/**
 * distribution as its image is configured (descriptors cached in memory, no Redis), with deleting on and
 * neither traces nor access log, which would cost it more than what is compared.
 */
export async function startDistribution({ folder, s3 }: Place): Promise<Server> {
  const found = findProgram('registry');
  if ('missing' in found) throw new Error(found.missing);
  const data = join(folder, 'distribution');
  mkdirSync(data, { recursive: true });
  const port = await freePort();
  const storage = s3
    ? {
        s3: {
          region: s3.region,
          regionendpoint: s3.endpoint,
          forcepathstyle: true,
          secure: false,
          bucket: s3.bucket,
          accesskey: s3.credentials.accessKeyId,
          secretkey: s3.credentials.secretAccessKey,
          rootdirectory: '/distribution',
        },
        redirect: { disable: true },
      }
    : { filesystem: { rootdirectory: data } };
  // JSON is YAML.
  const config = JSON.stringify({
    version: '0.1',
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { ...storage, delete: { enabled: true }, cache: { blobdescriptor: 'inmemory' } },
    http: { addr: `127.0.0.1:${port}`, secret: 'of-the-bench' },
  });
  const file = join(data, 'config.yml');
  writeFileSync(file, config);
  const program = startProgram(found.path, ['serve', file], {
    env: { OTEL_TRACES_EXPORTER: 'none' },
  });
  const url = `http://127.0.0.1:${port}`;
  await answering(program, async () => (await fetch(`${url}/v2/`)).ok);
  return {
    name: 'distribution',
    url,
    pid: program.pid,
    credentials: undefined,
    headers: async () => ({}),
    stop: () => program.stop(),
  };
}

async function answering(
  program: Program,
  ask: () => Promise<boolean>,
  withinMs = startWithin,
): Promise<void> {
  for (const deadline = Date.now() + withinMs; ; await delay(20)) {
    if (await ask().catch(() => false)) return;
    if (!program.ended() && Date.now() < deadline) continue;
    await program.stop();
    throw new Error(`a server did not start: ${program.words() || 'it said nothing'}`);
  }
}
