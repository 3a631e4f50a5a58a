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
import { bytes, duration, HOUR, SECOND, type SettingSchema, text } from './setting-schema.ts';
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
  readonly region: string;
  readonly startTimeout: string;
  readonly functionsRequestLimit: string;
  readonly functionsResponseLimit: string;
}

export interface FunctionsConfig {
  readonly mode: 'auto' | 'on' | 'off';
  /** Undefined: found by the driver. */
  readonly dockerHost: string | undefined;
  readonly domain: string;
  /** `host:port`; undefined: where the server listens. */
  readonly pullAddress: string | undefined;
  readonly region: string;
  /** Milliseconds. */
  readonly startTimeout: number;
  /** Bytes of bodies. */
  readonly requestLimit: number;
  readonly responseLimit: number;
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
    region: s.region,
    startTimeout: parseDuration(s.startTimeout)!,
    requestLimit: parseBytes(s.functionsRequestLimit)!,
    responseLimit: parseBytes(s.functionsResponseLimit)!,
    isolation: isolationConfig(s),
    records: recordsConfig(s),
    scaling: scalingConfig(s),
  };
}
