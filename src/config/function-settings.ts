import {
  type GivenIsolationSettings,
  type IsolationConfig,
  isolationConfig,
  isolationSettings,
} from './isolation-settings.ts';
import {
  type GivenRecordSettings,
  type RecordsConfig,
  recordSettings,
  recordsConfig,
} from './record-settings.ts';
import {
  type GivenScalingSettings,
  type ScalingConfig,
  scalingConfig,
  scalingSettings,
} from './scaling-settings.ts';
import {
  bytes,
  DAY,
  duration,
  HOUR,
  list,
  MINUTE,
  SECOND,
  type SettingSchema,
  text,
} from './setting-schema.ts';
import { parseBytes, parseDuration } from './units.ts';

/** Settings of functions. */
export const functionSettings = {
  functions: {
    ...text,
    enum: ['auto', 'on', 'off'],
    default: 'auto',
    description:
      'Whether pushed images run as functions. auto: where a container engine is found; on: the start fails where none is.',
    allowed: 'auto, on or off',
    example: 'off',
  },
  dockerHost: {
    ...text,
    minLength: 1,
    absent: 'DOCKER_HOST, else unix:///var/run/docker.sock',
    description: 'The container engine that runs functions.',
    allowed: 'unix:///path/of/docker.sock or tcp://host:port',
    example: 'unix:///run/user/1000/docker.sock',
  },
  functionsDomain: {
    ...text,
    format: 'domain',
    default: 'localhost',
    description:
      'Functions answer at names under this domain (*.localhost needs no set-up). Beyond loopback: a domain apart from that of the registry, with a wildcard DNS record.',
    allowed: 'a domain name in lower case',
    example: 'functions.example.net',
  },
  pullAddress: {
    ...text,
    format: 'registry-address',
    absent: 'the address that the server listens on',
    description:
      'host:port (or host, where that is TLS on 443) by which the container engine reaches this registry to pull.',
    allowed: 'host:port',
    example: '10.0.0.5:5050',
  },
  peerUrl: {
    ...text,
    format: 'origin',
    absent: 'the address that the server listens on, where others can reach it',
    description:
      'The URL by which other replicas reach this one: they forward requests of functions to the one that runs them. Not needed without replicas.',
    allowed: 'http:// or https://, a host and perhaps a port, without a path',
    example: 'http://10.0.0.5:5050',
  },
  region: {
    ...text,
    minLength: 1,
    default: 'local',
    description: 'A label of this installation, as functions are told it.',
    allowed: 'letters, digits and dashes',
    example: 'eu-central-1',
  },
  startTimeout: {
    ...duration(SECOND, HOUR, 'from 1s to 1h'),
    default: '120s',
    description: 'How long a container may take until its HTTP server listens.',
    example: '60s',
  },
  functionsRequestLimit: {
    ...bytes(1, 2 ** 50, 'from 1B to 1PiB'),
    default: '4GiB',
    description: 'The largest body that a request to a function may have.',
    example: '100MB',
  },
  functionsResponseLimit: {
    ...bytes(1, 2 ** 50, 'from 1B to 1PiB'),
    default: '4GiB',
    description: 'The largest answer that a function may give.',
    example: '100MB',
  },
  trustedDomains: {
    ...list,
    items: { type: 'string', format: 'trusted-domain' },
    default: [],
    description:
      'Domains that projects may take without a DNS record that proves that they are theirs, each with all names under it; *: every domain.',
    allowed: 'domain names in lower case, separated by commas, or *',
    example: 'example.com,apps.example.org',
  },
  dnsServers: {
    ...list,
    items: { type: 'string', format: 'dns-server' },
    default: [],
    description:
      'Name servers that proofs of domains are asked of. Without any: those of the host.',
    allowed: 'IP addresses, each with :port where it is not 53, separated by commas',
    example: '9.9.9.9,192.0.2.53:5353',
  },
  deploymentsKeep: {
    type: 'integer',
    minimum: 0,
    maximum: 1_000_000,
    default: 100,
    description:
      'How many deployments of a service stay in an environment, the newest, so many that are ready and so many others, however old they are; older ones go after the time of GANTRY_DEPLOYMENTS_KEEP_FOR, never what an environment runs or what has an instance. 0: all stay.',
    allowed: 'a whole number from 0 to 1000000',
    example: '20',
  },
  deploymentsKeepFor: {
    ...duration(MINUTE, 36_500 * DAY, 'from 1m to 36500d'),
    default: '90d',
    description: 'How long every deployment stays, at least.',
    example: '30d',
  },
  ...isolationSettings,
  ...recordSettings,
  ...scalingSettings,
} as const satisfies Record<string, SettingSchema>;

/** What the schema lets through of these, as texts. */
export interface GivenFunctionSettings
  extends GivenIsolationSettings,
    GivenRecordSettings,
    GivenScalingSettings {
  readonly functions: 'auto' | 'on' | 'off';
  readonly dockerHost?: string;
  readonly functionsDomain: string;
  readonly pullAddress?: string;
  readonly peerUrl?: string;
  readonly region: string;
  readonly startTimeout: string;
  readonly functionsRequestLimit: string;
  readonly functionsResponseLimit: string;
  readonly trustedDomains: readonly string[];
  readonly dnsServers: readonly string[];
  readonly deploymentsKeep: number;
  readonly deploymentsKeepFor: string;
}

export interface FunctionsConfig {
  readonly mode: 'auto' | 'on' | 'off';
  /** Undefined: found by the driver. */
  readonly dockerHost: string | undefined;
  readonly domain: string;
  /** `host:port`; undefined: where the server listens. */
  readonly pullAddress: string | undefined;
  /** Scheme and authority; undefined: where the server listens, if that can be reached by others. */
  readonly peerUrl: string | undefined;
  readonly region: string;
  /** Milliseconds. */
  readonly startTimeout: number;
  /** Bytes of bodies. */
  readonly requestLimit: number;
  readonly responseLimit: number;
  /** Custom domains: those that need no proof, and who is asked for proofs. */
  readonly domains: { readonly trusted: readonly string[]; readonly servers: readonly string[] };
  /** Deployments that stay, and milliseconds for which all do. */
  readonly pruning: { readonly keep: number; readonly keepForMs: number };
  readonly isolation: IsolationConfig;
  readonly records: RecordsConfig;
  readonly scaling: ScalingConfig;
}

export function functionsConfig(s: GivenFunctionSettings): FunctionsConfig {
  return {
    mode: s.functions,
    dockerHost: s.dockerHost,
    domain: s.functionsDomain,
    pullAddress: s.pullAddress,
    peerUrl: s.peerUrl === undefined ? undefined : new URL(s.peerUrl).origin,
    region: s.region,
    startTimeout: parseDuration(s.startTimeout)!,
    requestLimit: parseBytes(s.functionsRequestLimit)!,
    responseLimit: parseBytes(s.functionsResponseLimit)!,
    domains: { trusted: s.trustedDomains, servers: s.dnsServers },
    pruning: { keep: s.deploymentsKeep, keepForMs: parseDuration(s.deploymentsKeepFor)! },
    isolation: isolationConfig(s),
    records: recordsConfig(s),
    scaling: scalingConfig(s),
  };
}
