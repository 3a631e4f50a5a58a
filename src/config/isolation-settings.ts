import { parseMachineType } from './machine-type-setting.ts';
import {
  bytes,
  DAY,
  duration,
  list,
  MINUTE,
  SECOND,
  type SettingSchema,
  text,
} from './setting-schema.ts';
import { parseBytes, parseDuration } from './units.ts';

/** Settings of where functions run: their networks, what they may reach, disks, images and machines. */
export const isolationSettings = {
  functionsNetwork: {
    ...text,
    format: 'range4',
    default: '10.213.0.0/16',
    description:
      'The private range that the networks of projects are cut from. None of it may be in use elsewhere in your network.',
    allowed: 'an IPv4 range, from /8 to /24',
    example: '172.24.0.0/14',
  },
  functionsSubnet: {
    type: 'integer',
    minimum: 24,
    maximum: 29,
    default: 26,
    description:
      'Prefix length of one network: 26 has room for 61 instances, 28 for 13. A project that needs more gets another.',
    allowed: 'a whole number from 24 to 29',
    example: '28',
  },
  functionsReach: {
    ...list,
    items: { type: 'string', format: 'endpoint4' },
    default: [],
    description:
      "Ports of this host or of private networks that every function may reach, such as that of this registry's public address where it lies on this host.",
    allowed: 'address:port (IPv4, TCP), separated by commas',
    example: '192.0.2.10:443,10.0.0.5:5432',
  },
  functionsDns: {
    ...list,
    items: { type: 'string', format: 'address4' },
    default: [],
    description:
      "Name servers of functions. Without any: those of the host. The private ones among them are reached on port 53 alone, and they tell functions your network's internal names: name public ones here if that is not wanted.",
    allowed: 'IPv4 addresses, separated by commas',
    example: '9.9.9.9,149.112.112.112',
  },
  functionsPrivate: {
    ...list,
    items: { type: 'string', format: 'range4' },
    default: [],
    description:
      'Private ranges that projects with open egress may reach. Never the host itself, its link-local addresses or other projects.',
    allowed: 'IPv4 ranges, separated by commas',
    example: '10.20.0.0/16',
  },
  diskWatchInterval: {
    ...duration(SECOND / 4, 5 * MINUTE, 'from 250ms to 5m'),
    default: '5s',
    description:
      'How often the disks of instances are measured where the container engine limits none. Sooner while the free space of the disk falls.',
    example: '2s',
  },
  imageCacheTime: {
    ...duration(MINUTE, 365 * DAY, 'from 1m to 365d'),
    default: '7d',
    description: 'How long a pulled image that nothing uses stays on the host.',
    example: '24h',
  },
  imageCacheSpace: {
    ...bytes(10 ** 8, 10 ** 15, 'from 100MB to 1000TB'),
    default: '50GB',
    description:
      'How much pulled images may take on the host, unpacked. Over it, those that were used least recently go first; never those that are deployed or run.',
    example: '200GB',
  },
  machineTypes: {
    ...list,
    items: { type: 'string', format: 'machine-type' },
    default: [],
    description:
      'Machine types beside XS, S, M, L, GPU-T4, GPU-A10G, GPU-A100 and GPU-H100, or in place of one of them.',
    allowed: 'name=cores/memory or name=cores/memory/gpu*count, separated by commas',
    example: 'XL=8/16GiB,GPU-L40S=8/32GiB/L40S*1',
  },
} as const satisfies Record<string, SettingSchema>;

/** What the schema lets through of these, as texts. */
export interface GivenIsolationSettings {
  readonly functionsNetwork: string;
  readonly functionsSubnet: number;
  readonly functionsReach: readonly string[];
  readonly functionsDns: readonly string[];
  readonly functionsPrivate: readonly string[];
  readonly diskWatchInterval: string;
  readonly imageCacheTime: string;
  readonly imageCacheSpace: string;
  readonly machineTypes: readonly string[];
}

export interface IsolationConfig {
  /** `a.b.c.d/n` that subnets of `subnetBits` are cut from. */
  readonly network: string;
  readonly subnetBits: number;
  /** `address:port` that every function may reach. */
  readonly reach: readonly string[];
  /** Empty: the host's. */
  readonly dns: readonly string[];
  /** Ranges for projects with open egress. */
  readonly privateRanges: readonly string[];
  /** Milliseconds between two measurements of writable layers. */
  readonly diskCheck: number;
  /** Milliseconds. */
  readonly imageCacheTime: number;
  /** Bytes. */
  readonly imageCacheSpace: number;
  /** Beside the default table, or in place of its entries. */
  readonly machineTypes: readonly {
    readonly name: string;
    readonly cpus: number;
    readonly memory: number;
    readonly gpu: { readonly name: string; readonly count: number } | undefined;
  }[];
}

export function isolationConfig(s: GivenIsolationSettings): IsolationConfig {
  return {
    network: s.functionsNetwork,
    subnetBits: s.functionsSubnet,
    reach: s.functionsReach,
    dns: s.functionsDns,
    privateRanges: s.functionsPrivate,
    diskCheck: parseDuration(s.diskWatchInterval)!,
    imageCacheTime: parseDuration(s.imageCacheTime)!,
    imageCacheSpace: parseBytes(s.imageCacheSpace)!,
    machineTypes: s.machineTypes.map((one) => parseMachineType(one)!),
  };
}
