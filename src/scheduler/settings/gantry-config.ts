import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { isNameComponent } from '../../oci/reference.ts';
import type { Rewrite, ServiceSettings } from '../../ports/functions.ts';
import { checkRewrites } from '../rewrites.ts';
import { checkSettings, explain } from './check-settings.ts';

/** What a project's configuration file says. */
export interface GantryConfig {
  readonly services: Readonly<Record<string, ServiceSettings>>;
  readonly rewrites: readonly Rewrite[];
}

export type ConfigFile = 'gantry.json' | 'vercel.json';

export type ParsedConfig =
  | { readonly config: GantryConfig; readonly warnings: readonly string[] }
  | { readonly problems: readonly string[] };

const text = (maxLength: number) => ({ type: 'string', minLength: 1, maxLength }) as const;
const condition = {
  type: 'object',
  properties: {
    type: { type: 'string', enum: ['header', 'cookie', 'query', 'host'] },
    key: text(1024),
    value: text(1024),
  },
  required: ['type'],
  additionalProperties: false,
} as const;
const conditions = { type: 'array', maxItems: 16, items: condition } as const;
const rewrite = {
  type: 'object',
  properties: {
    source: text(1024),
    destination: {
      type: ['string', 'object'],
      maxLength: 1024,
      properties: { service: text(255) },
      required: ['service'],
      additionalProperties: false,
    },
    has: conditions,
    missing: conditions,
  },
  required: ['source', 'destination'],
  additionalProperties: false,
} as const;

export const rewritesSchema = { type: 'array', maxItems: 256, items: rewrite } as const;
const known = ['services', 'rewrites', '$schema'] as const;
const documentSchema = {
  type: 'object',
  properties: {
    $schema: text(1024),
    services: {
      type: 'object',
      maxProperties: 100,
      additionalProperties: { type: 'object' },
    },
    rewrites: rewritesSchema,
  },
  additionalProperties: false,
} as const;

const ajv = new Ajv2020({ strict: true, strictTypes: false, allErrors: true, verbose: true });
/** Compiled where it is asked first: most processes never see such a file. */
let compiled: ValidateFunction | undefined;

/** Where the source of a service lies: for builds, not for what runs. */
const buildKeys = ['root', 'entrypoint'] as const;
/** How other platforms spell `port`. */
const portKeys = ['caPort', 'exposedPort'] as const;

/**
 * Reads gantry.json, or vercel.json, whose keys that Gantry has no use for are warned of; in gantry.json they are
 * refused. `serviceNames`: services that the project has beside those of the file.
 */
export function parseGantryConfig(
  document: unknown,
  options: { file: ConfigFile; serviceNames: readonly string[] },
): ParsedConfig {
  const warnings: string[] = [];
  const lenient = options.file === 'vercel.json';
  const checked = lenient ? withoutUnused(document, warnings) : document;
  compiled ??= ajv.compile(documentSchema);
  if (!compiled(checked)) return { problems: explain(compiled.errors ?? [], '') };
  const { services: given = {}, rewrites = [] } = checked as {
    services?: Record<string, Record<string, unknown>>;
    rewrites?: Rewrite[];
  };
  const problems: string[] = [];
  const services: Record<string, ServiceSettings> = {};
  for (const [name, value] of Object.entries(given)) {
    const at = `services.${name.slice(0, 100)}`;
    if (!isNameComponent(name) || name.length > 128) {
      problems.push(
        `"${at}": the name of a service is as that of a repository: lower-case letters and digits, between which ".", "_", "__" or dashes may stand.`,
      );
      continue;
    }
    const settings = settingsOf(value, at, problems);
    problems.push(...checkSettings(settings, at));
    Object.defineProperty(services, name, { value: settings, enumerable: true });
  }
  const names = [...new Set([...options.serviceNames, ...Object.keys(services)])];
  problems.push(...checkRewrites(rewrites, names));
  return problems.length > 0 ? { problems } : { config: { services, rewrites }, warnings };
}

function settingsOf(
  given: Readonly<Record<string, unknown>>,
  at: string,
  problems: string[],
): ServiceSettings {
  const settings = { ...given };
  for (const key of buildKeys) {
    const value = settings[key];
    if (value !== undefined && !isRelative(value)) {
      problems.push(`"${at}.${key}" must be a path below the project, without "..".`);
    }
    delete settings[key];
  }
  for (const key of portKeys) {
    if (settings[key] === undefined) continue;
    if (settings.port !== undefined && settings.port !== settings[key]) {
      problems.push(`"${at}.${key}" and another port are both set: leave one out.`);
    }
    settings.port = settings[key];
    delete settings[key];
  }
  return settings;
}

function isRelative(value: unknown): boolean {
  return (
    typeof value === 'string' &&
    value.length <= 1024 &&
    !value.startsWith('/') &&
    !value.split('/').includes('..')
  );
}

function withoutUnused(document: unknown, warnings: string[]): unknown {
  if (typeof document !== 'object' || document === null || Array.isArray(document)) return document;
  const kept = Object.entries(document).filter(([key]) => {
    if (known.some((one) => one === key)) return true;
    warnings.push(`"${key.slice(0, 100)}" means nothing to Gantry, and is left out.`);
    return false;
  });
  return Object.fromEntries(kept);
}
