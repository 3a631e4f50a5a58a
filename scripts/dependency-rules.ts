/**
 * Which folder may import which, from "Folders" in ARCHITECTURE.md: arrows point one way. Tests may import
 * what they test with, so they are not looked at.
 */

/** Used by all above ports. */
const common = ['oci', 'ports', 'config', 'observability', 'events'] as const;

const subjects = [
  'registry',
  'policy',
  'auth',
  'projects',
  'maintenance',
  'scheduler',
  'gateway',
  'builds',
] as const;

/** Folder (or file) -> folders (or files) that it may import beside itself. A longer name goes first. */
export const allowedImports: Readonly<Record<string, readonly string[]>> = {
  oci: [],
  compression: ['oci'],
  ports: ['oci'],
  config: ['oci', 'ports'],
  observability: ['oci', 'ports', 'config'],
  events: ['oci', 'ports', 'config', 'observability'],

  policy: ['oci', 'ports', 'config'],
  // Rules are pure functions; a push asks them.
  registry: [...common, 'policy', 'compression'],
  auth: common,
  projects: common,
  // Retention is a rule, too.
  maintenance: [...common, 'policy', 'compression'],
  scheduler: common,
  gateway: [...common, 'scheduler'],
  sandboxes: [...common, 'scheduler'],
  builds: common,
  // Between the processes of one server.
  workers: [...common, 'registry'],

  http: [...common, ...subjects, 'sandboxes'],
  'compose.ts': [
    'compose-owner.ts',
    'compose-registry.ts',
    'compose-store.ts',
    'compose-workers.ts',
    'compose-scrub.ts',
    ...common,
    ...subjects,
    'sandboxes',
    'http',
    'storage-adapters',
    'runtimes',
  ],
  // Half of it, by itself for its size: compose.ts alone uses it.
  'compose-functions.ts': [
    ...['compose-engine.ts', ...common, ...subjects, 'sandboxes', 'http', 'runtimes'],
  ],
  // Loaded by that half where an engine is.
  'compose-engine.ts': ['compose-functions.ts', ...common, ...subjects, 'sandboxes'],
  // What every process that serves HTTP has.
  'compose-registry.ts': [...common, ...subjects, 'http'],
  'compose-workers.ts': [...common, 'http', 'workers', 'worker.ts'],
  'compose-worker.ts': [
    ...['compose-registry.ts', 'compose-store.ts', 'workers', 'storage-adapters', ...common],
    ...['auth', 'projects', 'registry', 'scheduler', 'gateway', 'http'],
  ],
  // A process of its own.
  'worker.ts': ['compose-worker.ts', 'workers'],
  // Opens that half again where it changes hands.
  'compose-owner.ts': ['compose-functions.ts', 'maintenance', 'gateway', 'runtimes', ...common],
  'compose-store.ts': [...common, 'storage-adapters'],
  // The commands that work on whole installations, without a server.
  'compose-backup.ts': ['compose-store.ts', ...common, 'maintenance', 'storage-adapters'],
  // The scrub and its settings.
  'compose-scrub.ts': ['maintenance', 'projects', ...common],
  'main.ts': ['compose.ts', 'config', 'observability', 'oci'],

  // Until the API comes: the socket's words, and the whole without a server where none runs.
  cli: ['oci', 'config', 'projects', 'maintenance', 'compose.ts', 'compose-backup.ts'],

  runtimes: ['oci', 'ports'],
  'storage-adapters': ['oci', 'ports'],
};

/** Package -> where it may be imported. A package without a row is not known to ARCHITECTURE.md. */
export const allowedPackages: Readonly<Record<string, readonly string[]>> = {
  '@aws-sdk/client-s3': ['storage-adapters/blobs/s3'],
  '@aws-sdk/s3-request-presigner': ['storage-adapters/blobs/s3'],
  ajv: ['src/config', 'src/projects', 'src/http', 'src/scheduler'],
  cloudevents: ['src/events'],
  commander: ['src/cli'],
  dockerode: ['src/runtimes/docker'],
  express: ['src/http'],
  jose: ['src/auth'],
  kysely: ['storage-adapters/metadata'],
  'lru-cache': ['src/auth', 'src/registry', 'src/http', 'src/scheduler', 'src/gateway'],
  multer: ['src/http'],
  'openid-client': ['src/auth'],
  'path-to-regexp': ['src/scheduler', 'src/gateway'],
  pg: ['storage-adapters/metadata'],
  'prom-client': ['src/observability'],
  'rate-limiter-flexible': ['src/http'],
  'tar-stream': ['src/registry', 'src/http', 'src/runtimes'],
  undici: [
    'src/auth',
    'src/projects',
    'src/events',
    'src/scheduler',
    'src/gateway',
    'src/sandboxes',
  ],
  winston: ['src/observability'],
  'zstd-napi': ['src/compression'],
};

/** Parts of Node that mean a disk, a network or a process: not for what only decides. */
export const pureFolders: Readonly<Record<string, readonly string[]>> = {
  'src/oci': ['node:crypto'],
  'src/ports': ['node:stream'],
  'src/policy': [],
  'src/scheduler/contracts': [],
};
