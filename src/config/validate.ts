import { Ajv, type ErrorObject } from 'ajv';
import type { PlanName } from '../ports/teams.ts';
import type { LogLevel, MetricsAccess } from './config.ts';
import { formats } from './formats.ts';
import type { GivenFunctionSettings } from './function-settings.ts';
import { envName, type SettingName, settings, settingsSchema } from './schema.ts';
import { parseBytes, parseDuration } from './units.ts';

export type GivenSettings = Partial<Record<SettingName, unknown>>;

/** What the schema lets through, with its defaults: texts as they were given. */
export interface Settings extends GivenFunctionSettings {
  readonly data: string;
  readonly host: string;
  readonly port: number;
  readonly workers: string;
  readonly publicUrl?: string;
  readonly audience?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly trustedProxies: readonly string[];
  readonly outboundAllow: readonly string[];
  readonly logLevel: LogLevel;
  readonly metrics: MetricsAccess;
  readonly metricsToken?: string;
  readonly databaseUrl?: string;
  readonly blobs?: string;
  readonly storage: string;
  readonly s3Endpoint?: string;
  readonly s3PublicEndpoint?: string;
  readonly s3Redirect: boolean;
  readonly s3Region?: string;
  readonly s3PathStyle?: boolean;
  readonly secretKey?: string;
  readonly plan: PlanName;
  readonly layerLimit?: string;
  readonly imageLimit?: string;
  readonly storageLimit?: string;
  readonly transferLimit?: string;
  readonly measure: boolean;
  readonly cacheManifests: string;
  readonly collectInterval: string;
  readonly collectLease: string;
  readonly collectDelay: string;
  readonly scrubInterval: string;
  readonly scrubRate: string;
  readonly undeleteFor: string;
  readonly retentionInterval: string;
  readonly uploadExpiry: string;
  readonly eventRetention: string;
  readonly eventLimit: number;
  readonly webhookTimeout: string;
  readonly webhookAttempts: number;
  readonly webhookBackoff: string;
  readonly webhookExpiry: string;
  readonly auditRetention: string;
  readonly tokenTtl: string;
  readonly exchangedTokenTtl: string;
  readonly issuerKeyRotation: string;
  readonly signinIssuer?: string;
  readonly signinClientId?: string;
  readonly signinClientSecret?: string;
  readonly signinAllow: readonly string[];
  readonly sessionIdle: string;
  readonly sessionTtl: string;
  readonly rateLoginFailures: number;
  readonly rateToken: number;
  readonly rateApiReads: number;
  readonly rateApiWrites: number;
  readonly rateManifests: number;
  readonly rateBlobs: number;
  readonly headersTimeout: string;
  readonly bodyTimeout: string;
  readonly keepAlive: string;
  readonly drainDelay: string;
  readonly drainTimeout: string;
  readonly fileThreads: number;
}

const validate = compile();

/** `given` with the defaults. What is wrong is added to `problems`, one sentence a setting. */
export function validateSettings(given: GivenSettings, problems: string[]): Settings {
  const filled = structuredClone(given);
  if (!validate(filled)) {
    const failed = new Set((validate.errors ?? []).map(settingOf));
    for (const name of failed) problems.push(badValue(name, given[name]));
  }
  return filled as unknown as Settings;
}

function compile() {
  const ajv = new Ajv({ allErrors: true, useDefaults: true });
  for (const [name, check] of Object.entries(formats)) ajv.addFormat(name, check);
  ajv.addVocabulary(['allowed', 'example', 'absent', 'secret']);
  ajv.addKeyword(rangeKeyword('duration', parseDuration));
  ajv.addKeyword(rangeKeyword('bytes', parseBytes));
  return ajv.compile(settingsSchema);
}

function rangeKeyword(keyword: string, parse: (text: string) => number | undefined) {
  return {
    keyword,
    type: 'string' as const,
    schemaType: 'array' as const,
    validate: ([least, most]: [number, number], text: string): boolean => {
      const value = parse(text);
      return value !== undefined && value >= least && value <= most;
    },
  };
}

function settingOf(error: ErrorObject): SettingName {
  return error.instancePath.split('/')[1] as SettingName;
}

/** What came is shown unless it is a secret, and cut where it is long. */
function badValue(name: SettingName, value: unknown): string {
  const { allowed, example, secret } = settings[name];
  const text = Array.isArray(value) ? value.join(',') : String(value);
  const withoutPassword = text.replace(/\/\/[^/@]*@/, '//…@');
  const shown = withoutPassword.length > 80 ? `${withoutPassword.slice(0, 80)}…` : withoutPassword;
  const came = secret ? `a value of ${text.length} characters` : JSON.stringify(shown);
  return `${envName(name)} (${name} in a file): got ${came}; allowed: ${allowed}. Example: ${envName(name)}=${example}`;
}
