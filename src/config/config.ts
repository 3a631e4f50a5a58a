import type { PlanName } from '../ports/teams.ts';
import type { FunctionsConfig } from './function-settings.ts';

/**
 * The settings of one process: read once, frozen, handed to what needs them. Durations are
 * milliseconds, sizes bytes, paths absolute. The schema with every default is `schema.ts`.
 */
export interface Config {
  /** The data folder. */
  readonly data: string;
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Processes that answer clients of the registry; 1: this one does all. */
  readonly workers: number;
  /** Scheme and authority without a trailing slash; undefined: as the client asked. */
  readonly publicUrl: string | undefined;
  /** The `aud` of OIDC tokens for this instance; undefined: the URL that it is reached by. */
  readonly audience: string | undefined;
  /** File paths of a PEM certificate chain and its key; undefined: plain HTTP. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  readonly trustedProxies: readonly string[];
  readonly outboundAllow: readonly string[];

  readonly logLevel: LogLevel;
  readonly metrics: MetricsAccess;
  /** Asked for as a bearer token on /metrics where it is set. */
  readonly metricsToken: string | undefined;

  /** Of Postgres; undefined: SQLite in the data folder. */
  readonly databaseUrl: string | undefined;
  /** The folder of blobs, where they are files. */
  readonly blobs: string;
  readonly storage: StorageChoice;
  readonly s3: S3Settings;
  /** 32 bytes in lower-case hex; undefined: kept in `<data>/secret.key` (`secret-key.ts`). */
  readonly secretKey: string | undefined;

  /** The plan of new teams. */
  readonly plan: PlanName;
  /** Compressed bytes of one layer over all plans; undefined: each plan's own. */
  readonly layerLimit: number | undefined;
  /** Compressed bytes of one image over all plans; undefined: each plan's own. */
  readonly imageLimit: number | undefined;
  /** Bytes that a team may store; undefined: no limit. */
  readonly storageLimit: number | undefined;
  /** Bytes that may be pulled from a team in a month; undefined: no limit. */
  readonly transferLimit: number | undefined;
  /** Whether uncompressed sizes are measured after a push. */
  readonly measure: boolean;
  /** Bytes of manifests kept in memory. */
  readonly cacheManifests: number;

  /** 0: only when it is asked for. */
  readonly collectInterval: number;
  readonly collectLease: number;
  readonly collectDelay: number;
  readonly scrubInterval: number;
  /** Bytes a second. */
  readonly scrubRate: number;
  /** 0: what is deleted does not come back. */
  readonly undeleteFor: number;
  /** 0: only when it is asked for. */
  readonly retentionInterval: number;
  readonly uploadExpiry: number;
  readonly tokenTtl: number;
  /** Of tokens that were exchanged for a JWT. */
  readonly exchangedTokenTtl: number;
  /** The age at which the issuer's key is replaced. */
  readonly issuerKeyRotation: number;
  /** How long events and deliveries are kept, and how many events at most. */
  readonly eventRetention: number;
  readonly eventLimit: number;
  /** The provider at which people sign in with a browser; undefined: with tokens alone. */
  readonly signIn:
    | {
        readonly issuer: string;
        readonly clientId: string;
        readonly clientSecret: string | undefined;
        /** Who gets an account at the first sign-in. */
        readonly allow: readonly string[];
      }
    | undefined;
  readonly sessionIdle: number;
  readonly sessionTtl: number;
  readonly webhookTimeout: number;
  readonly webhookAttempts: number;
  readonly webhookBackoff: number;
  readonly webhookExpiry: number;
  readonly auditRetention: number;
  readonly rates: Rates;
  readonly headersTimeout: number;
  /** The longest that a request body may make no progress. */
  readonly bodyTimeout: number;
  readonly keepAlive: number;
  /** From the signal until no more connections are taken. */
  readonly drainDelay: number;
  readonly drainTimeout: number;
  readonly functions: FunctionsConfig;
  /** Threads for file work, taken by the start script before the program runs. */
  readonly fileThreads: number;
}

/** Per minute; 0: no limit. */
export interface Rates {
  /** By address and username; by address alone, ten times as many. */
  readonly loginFailures: number;
  /** By address. */
  readonly token: number;
  /** These by identity, or by address where there is none. */
  readonly apiReads: number;
  readonly apiWrites: number;
  readonly manifests: number;
  readonly blobs: number;
}

export type LogLevel = 'error' | 'warn' | 'info' | 'debug';

/** Who may read /metrics: processes on this machine, everyone, no one. */
export type MetricsAccess = 'loopback' | 'on' | 'off';

export type StorageChoice =
  | { readonly type: 'filesystem' }
  /** `prefix` has no slash at either end, and may be empty. */
  | { readonly type: 's3'; readonly bucket: string; readonly prefix: string };

export interface S3Settings {
  /** Undefined: AWS, by region. */
  readonly endpoint: string | undefined;
  /** Where clients reach the store; undefined: bytes are proxied unless the store is AWS itself. */
  readonly publicEndpoint: string | undefined;
  /** False: bytes are always proxied. */
  readonly redirect: boolean;
  /** Undefined: by the SDK's own chain. */
  readonly region: string | undefined;
  readonly pathStyle: boolean;
}
