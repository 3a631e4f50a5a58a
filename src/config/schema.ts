import { collectionSettings } from './collection-settings.ts';
import { connectionSettings } from './connection-settings.ts';
import { eventSettings } from './event-settings.ts';
import { functionSettings } from './function-settings.ts';
import { planSettings } from './plan-settings.ts';
import { rateSettings } from './rate-settings.ts';
import { retentionSettings } from './retention-settings.ts';
import {
  bytes,
  DAY,
  duration,
  flag,
  list,
  MINUTE,
  SECOND,
  type SettingSchema,
  text,
} from './setting-schema.ts';
import { signInSettings } from './sign-in-settings.ts';
import { workerSettings } from './worker-settings.ts';

export type { SettingSchema } from './setting-schema.ts';

/**
 * The one schema of all settings. `publicUrl` of the file is `GANTRY_PUBLIC_URL` in the environment.
 * `docs/settings.md` is made from this.
 */
const properties = {
  data: {
    ...text,
    minLength: 1,
    default: './data',
    description: 'The folder that keeps the database, the blobs and the keys.',
    allowed: 'a path; a relative one is taken from the working directory',
    example: '/var/lib/gantry',
  },
  host: {
    ...text,
    minLength: 1,
    default: '127.0.0.1',
    description: 'The address to listen on. 0.0.0.0 is every IPv4 address of the machine.',
    allowed: 'an IP address or a name of this machine',
    example: '0.0.0.0',
  },
  port: {
    type: 'integer',
    minimum: 0,
    maximum: 65535,
    default: 5050,
    description: 'The port to listen on. 0: any free one, printed at start.',
    allowed: 'a whole number from 0 to 65535',
    example: '5050',
  },
  ...workerSettings,
  publicUrl: {
    ...text,
    format: 'origin',
    absent: 'as the client asked for it',
    description:
      'The URL that clients use, where a proxy stands in front. Location headers and the login realm are made from it.',
    allowed: 'http:// or https://, a host and perhaps a port, without a path',
    example: 'https://registry.example.com',
  },
  audience: {
    ...text,
    minLength: 1,
    absent: 'the public URL, or the URL that the server listens on',
    description:
      'The audience (`aud`) that OIDC tokens must carry for this instance, unless a trust policy has its own.',
    allowed: 'any text; usually the URL of this instance',
    example: 'https://registry.example.com',
  },
  tlsCert: {
    ...text,
    minLength: 1,
    absent: 'plain HTTP',
    description:
      'PEM file with the certificate and its chain. Needs GANTRY_TLS_KEY. HTTP/1.1; for HTTP/2 put a proxy in front.',
    allowed: 'the path of a PEM file',
    example: '/etc/gantry/tls.crt',
  },
  tlsKey: {
    ...text,
    minLength: 1,
    absent: 'plain HTTP',
    description: 'PEM file with the private key of GANTRY_TLS_CERT.',
    allowed: 'the path of a PEM file',
    example: '/etc/gantry/tls.key',
  },
  trustedProxies: {
    ...list,
    items: { type: 'string', format: 'address-range' },
    default: [],
    description:
      'Proxies whose X-Forwarded-For, -Proto and -Host are believed. From any other address these headers are ignored.',
    allowed: 'IP addresses and CIDR ranges, separated by commas',
    example: '127.0.0.1,10.0.0.0/8',
  },
  outboundAllow: {
    ...list,
    items: { type: 'string', format: 'outbound' },
    default: [],
    description:
      'Hosts and ranges inside your network that Gantry may call (OIDC issuers), over plain HTTP, too. Loopback, private and link-local addresses are refused unless they are named here.',
    allowed: 'loopback, IP addresses, CIDR ranges, host or host:port, separated by commas',
    example: 'idp.internal:8443,10.20.0.0/16',
  },
  logLevel: {
    ...text,
    enum: ['error', 'warn', 'info', 'debug'],
    default: 'info',
    description: 'The least important lines that are logged, as JSON, a line each.',
    allowed: 'error, warn, info or debug',
    example: 'warn',
  },
  metrics: {
    ...text,
    enum: ['loopback', 'on', 'off'],
    default: 'loopback',
    description:
      'Who may read /metrics: processes on this machine (loopback), everyone (on), or no one (off). Where GANTRY_METRICS_TOKEN is set: whoever sends it, from anywhere, and no one else.',
    allowed: 'loopback, on or off',
    example: 'on',
  },
  metricsToken: {
    ...text,
    secret: true,
    minLength: 16,
    absent: 'no token is asked for',
    description: 'A token that /metrics asks for: Authorization: Bearer <token>.',
    allowed: 'a text of 16 characters or more',
    example: '$(openssl rand -hex 32)',
  },
  databaseUrl: {
    ...text,
    secret: true,
    format: 'postgres-url',
    absent: 'SQLite in the data folder',
    description:
      'The Postgres database that keeps every fact, shared by all replicas. Needs GANTRY_SECRET_KEY, the same for each. The data folder keeps only what is of one process.',
    allowed: 'postgres://user:password@host:port/database',
    example: 'postgres://gantry:secret@db.internal:5432/gantry',
  },
  storage: {
    ...text,
    format: 'storage',
    default: 'filesystem',
    description:
      'Where blobs are kept: under the data folder, or in a bucket of any store that speaks S3.',
    allowed: 'filesystem or s3://bucket/prefix',
    example: 's3://images/gantry',
  },
  blobs: {
    ...text,
    minLength: 1,
    absent: 'the folder blobs under the data folder',
    description:
      'The folder of blobs where they are kept in files. Replicas name the same one, on a file system that they share.',
    allowed: 'a path',
    example: '/mnt/gantry-blobs',
  },
  s3Endpoint: {
    ...text,
    format: 'http-url',
    absent: 'AWS, by region',
    description:
      "The URL of the S3 store. Credentials come by the AWS SDK's own chain (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, profiles, roles).",
    allowed: 'an http:// or https:// URL',
    example: 'http://127.0.0.1:7070',
  },
  s3PublicEndpoint: {
    ...text,
    format: 'http-url',
    absent: 'blobs are sent through Gantry',
    description:
      "The URL by which clients reach the S3 store, so that pulls are redirected there. Its host name must not be the registry's or below it: clients would send their credentials along.",
    allowed: "an http:// or https:// URL on a host name unrelated to the registry's",
    example: 'https://s3.example.net',
  },
  s3Redirect: {
    ...flag,
    default: true,
    description:
      'Whether pulls are redirected to the S3 store where clients can reach it. off: all bytes are sent through Gantry.',
    example: 'off',
  },
  s3Region: {
    ...text,
    minLength: 1,
    absent: "AWS_REGION, else us-east-1 with an endpoint, else by the SDK's chain",
    description: 'The region of the bucket.',
    allowed: 'the name of a region',
    example: 'eu-central-1',
  },
  s3PathStyle: {
    ...flag,
    absent: 'on where GANTRY_S3_ENDPOINT is set, else off',
    description:
      'Whether the bucket is named in the path (http://host/bucket) rather than in the host name.',
    example: 'on',
  },
  secretKey: {
    ...text,
    secret: true,
    format: 'key-32',
    absent: 'made at first start and kept in secret.key (mode 0600) in the data folder',
    description:
      'The key that wraps the signing keys in the database. Replicas share it; without it they cannot be read.',
    allowed: '32 bytes as hex (64 digits) or base64 (44 characters)',
    example: '$(openssl rand -hex 32)',
  },
  ...planSettings,
  measure: {
    ...flag,
    default: true,
    description:
      'Whether the uncompressed size of each layer is measured after the push, in a worker thread.',
    example: 'off',
  },
  cacheManifests: {
    ...bytes(0, 64 * 2 ** 30, 'at most 64GiB; 0 keeps none'),
    default: '64MB',
    description: 'How many bytes of manifests are kept in memory.',
    example: '256MB',
  },
  uploadExpiry: {
    ...duration(SECOND, 30 * DAY, 'from 1s to 30d'),
    default: '24h',
    description: 'How long an upload that makes no progress can be resumed.',
    example: '6h',
  },
  tokenTtl: {
    ...duration(MINUTE, DAY, 'from 60s to 24h'),
    default: '5m',
    description:
      'How long a registry token is good for. Clients fetch a new one by themselves. The specification allows no less than 60 seconds.',
    example: '10m',
  },
  ...collectionSettings,
  ...retentionSettings,
  ...eventSettings,
  ...signInSettings,
  ...rateSettings,
  ...functionSettings,
  ...connectionSettings,
  fileThreads: {
    type: 'integer',
    minimum: 1,
    maximum: 1024,
    default: 8,
    description:
      'Threads for file work. Taken by the start script, which sets UV_THREADPOOL_SIZE from it.',
    allowed: 'a whole number from 1 to 1024',
    example: '16',
  },
} as const satisfies Record<string, SettingSchema>;

export type SettingName = keyof typeof properties;

/** Each setting by its name in the file, in the order of the reference page. */
export const settings: Readonly<Record<SettingName, SettingSchema>> = properties;

export const settingNames = Object.keys(properties) as readonly SettingName[];

/** For ajv. Unknown names are found before it, so that the refusal can name the closest one. */
export const settingsSchema = { type: 'object', properties } as const;

/** `s3PublicEndpoint` -> `GANTRY_S3_PUBLIC_ENDPOINT`. */
export function envName(setting: string): string {
  return `GANTRY_${setting.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}
