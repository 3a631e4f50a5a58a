import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js';
import { closest } from '../../config/closest.ts';
import type { ServiceSettings } from '../../ports/functions.ts';
import { type SettingSchema, serviceSettingsSchema } from './service-schema.ts';

const ajv = new Ajv2020({ strict: true, strictTypes: false, allErrors: true, verbose: true });
const validate = ajv.compile<ServiceSettings>(serviceSettingsSchema);

/** Of all variables of a service together, names and values. */
const mostEnvBytes = 64 * 1024;
/** Parts of the container that are the kernel's or the engine's. */
const reservedPaths = ['/', '/proc', '/sys', '/dev', '/run/gantry', '/var/run/gantry'];

/** What is wrong with settings, one sentence each; empty: nothing. `at`: how the text names them. */
export function checkSettings(settings: unknown, at = ''): string[] {
  if (!validate(settings)) return explain(validate.errors ?? [], at);
  return [...related(settings, at)];
}

function* related(settings: ServiceSettings, at: string): Generator<string> {
  const name = (key: string) => quoted(at, key);
  const { env = {}, secrets = {}, minInstances = 0, maxInstances, volumes = [] } = settings;
  const bytes = Object.entries(env).reduce(
    (sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value),
    0,
  );
  if (bytes > mostEnvBytes) {
    yield `${name('env')} has ${bytes} bytes, and ${mostEnvBytes} are allowed: put large values into a volume.`;
  }
  const twice = Object.keys(env).find((key) => Object.hasOwn(secrets, key));
  if (twice) yield `${name('secrets')} and ${name('env')} both set ${twice}: leave one out.`;
  if (maxInstances !== undefined && minInstances > maxInstances) {
    yield `${name('minInstances')} is ${minInstances}, and more than maxInstances, ${maxInstances}.`;
  }
  const paths = volumes.map(({ path }) => path.replace(/\/+$/, '') || '/');
  for (const path of paths) {
    const parts = path.split('/').slice(1);
    if (path !== '/' && parts.some((part) => part === '' || part === '.' || part === '..')) {
      yield `${name('volumes')}: the path "${path}" must be absolute, without ".." or empty parts.`;
    }
    const reserved = reservedPaths.find(
      (one) => path === one || (one !== '/' && path.startsWith(`${one}/`)),
    );
    if (reserved) yield `${name('volumes')}: nothing can be mounted at "${path}".`;
  }
  if (new Set(paths).size < paths.length) yield `${name('volumes')}: two have the same path.`;
}

/** One sentence for each place that is wrong. */
export function explain(errors: readonly ErrorObject[], at: string): string[] {
  const sentences = new Map<string, string>();
  for (const error of errors) {
    const path = error.instancePath
      .slice(1)
      .replaceAll('/', '.')
      .replaceAll('~1', '/')
      .replaceAll('~0', '~');
    // What an alternative lacks says less than that none fits.
    if (error.schemaPath.includes('/oneOf/')) continue;
    const key = `${path} ${error.keyword}${String(error.params.additionalProperty ?? '')}`;
    if (!sentences.has(key)) sentences.set(key, sentenceOf(error, path, at));
  }
  return [...sentences.values()].slice(0, 20);
}

function sentenceOf(error: ErrorObject, path: string, at: string): string {
  const where = path === '' ? at || 'The document' : quoted(at, path);
  const schema = error.parentSchema as SettingSchema | undefined;
  const params = error.params as Record<string, unknown>;
  switch (error.keyword) {
    case 'additionalProperties': {
      const extra = String(params.additionalProperty).slice(0, 100);
      const known = Object.keys((schema?.properties as object | undefined) ?? {});
      const near = closest(extra, known);
      return `${where} takes no "${extra}"${near ? `: did you mean "${near}"?` : `; it takes ${known.join(', ')}.`}`;
    }
    case 'required':
      return `${where} needs "${String(params.missingProperty)}".`;
    case 'enum':
      return `${where} must be one of ${(params.allowedValues as unknown[]).join(', ')}.`;
    case 'minimum':
    case 'maximum':
      return `${where} must be a whole number from ${String(schema?.minimum)} to ${String(schema?.maximum)}.`;
    case 'oneOf':
      return `${where} is neither {"type": "file", "name": …} nor {"type": "http" or "otlp", "url": …}.`;
    case 'propertyNames':
      return `${where} has a name that no variable can have: "${String(params.propertyName).slice(0, 100)}".`;
    default:
      return `${where} ${error.message ?? 'is not valid'}.`;
  }
}

function quoted(at: string, path: string): string {
  return `"${at === '' ? path : `${at}.${path}`}"`;
}
