import { availableParallelism, totalmem } from 'node:os';
import { bytes, DAY, duration, HOUR, SECOND, type SettingSchema, text } from './setting-schema.ts';
import { parseBytes, parseDuration } from './units.ts';

/** Settings of how many instances run, and for how long; a service's own go before those that it has, too. */
export const scalingSettings = {
  freezeAfter: {
    ...duration(0, DAY, 'from 0s to 1d; 0s: never'),
    default: '5s',
    description: 'Without a request for this long an instance is frozen: it gets no CPU time.',
    example: '0s',
  },
  idleProduction: {
    ...duration(SECOND, 30 * DAY, 'from 1s to 30d'),
    default: '300s',
    description: 'Without a request for this long an instance of production ends.',
    example: '15m',
  },
  idlePreview: {
    ...duration(SECOND, 30 * DAY, 'from 1s to 30d'),
    default: '30s',
    description: 'Without a request for this long an instance of a preview ends.',
    example: '5m',
  },
  stopGrace: {
    ...duration(0, HOUR, 'from 0s to 1h'),
    default: '30s',
    description: 'Between SIGTERM and SIGKILL.',
    example: '10s',
  },
  maxInstances: {
    type: 'integer',
    minimum: 1,
    maximum: 10_000,
    default: 100,
    description: 'The most instances of one service of one deployment.',
    allowed: 'a whole number from 1 to 10000',
    example: '20',
  },
  queueLimit: {
    type: 'integer',
    minimum: 1,
    maximum: 100_000,
    default: 1_000,
    description: 'Requests of one service that may wait for an instance.',
    allowed: 'a whole number from 1 to 100000',
    example: '200',
  },
  functionsMemory: {
    ...bytes(1, 2 ** 50, 'from 1B to 1PiB'),
    absent: "four times the machine's",
    description:
      'The memory that all instances together may have, by their machine types (which few use up). The one that is idle for the longest makes room for others.',
    example: '12GiB',
  },
  parallelStarts: {
    type: 'integer',
    minimum: 1,
    maximum: 1_000,
    absent: 'twice the cores',
    description: 'Containers that are made and started at once; more only wait for each other.',
    allowed: 'a whole number from 1 to 1000',
    example: '4',
  },
  createdAhead: {
    ...duration(0, 30 * DAY, 'from 0s to 30d; 0s: none'),
    default: '1h',
    description: 'How long a container that is created and not started is kept for the next start.',
    example: '0s',
  },
  instancesAtStop: {
    ...text,
    enum: ['keep', 'end'],
    default: 'keep',
    description:
      'What becomes of instances when Gantry stops. keep: they go on, and the next start takes them over; end: they get SIGTERM within the time of GANTRY_DRAIN_TIMEOUT.',
    allowed: 'keep or end',
    example: 'end',
  },
} as const satisfies Record<string, SettingSchema>;

/** What the schema lets through of these, as texts. */
export interface GivenScalingSettings {
  readonly freezeAfter: string;
  readonly idleProduction: string;
  readonly idlePreview: string;
  readonly stopGrace: string;
  readonly maxInstances: number;
  readonly queueLimit: number;
  readonly functionsMemory?: string;
  readonly parallelStarts?: number;
  readonly createdAhead: string;
  readonly instancesAtStop: 'end' | 'keep';
}

/** Times in milliseconds. */
export interface ScalingConfig {
  readonly freezeAfterMs: number;
  readonly idleMs: { readonly production: number; readonly preview: number };
  readonly graceMs: number;
  readonly maxInstances: number;
  readonly queueLimit: number;
  /** Bytes. */
  readonly memory: number;
  readonly parallelStarts: number;
  readonly createdAheadMs: number;
  readonly keepAtStop: boolean;
}

export function scalingConfig(s: GivenScalingSettings): ScalingConfig {
  return {
    freezeAfterMs: parseDuration(s.freezeAfter)!,
    idleMs: {
      production: parseDuration(s.idleProduction)!,
      preview: parseDuration(s.idlePreview)!,
    },
    graceMs: parseDuration(s.stopGrace)!,
    maxInstances: s.maxInstances,
    queueLimit: s.queueLimit,
    memory: s.functionsMemory === undefined ? 4 * totalmem() : parseBytes(s.functionsMemory)!,
    parallelStarts: s.parallelStarts ?? 2 * availableParallelism(),
    createdAheadMs: parseDuration(s.createdAhead)!,
    keepAtStop: s.instancesAtStop === 'keep',
  };
}
