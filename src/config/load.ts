import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import type { Config } from './config.ts';
import { ConfigError } from './config-error.ts';
import { parseKey, parseStorage } from './formats.ts';
import { functionsConfig } from './function-settings.ts';
import { readConfigFile } from './read-config-file.ts';
import { readEnv } from './read-env.ts';
import { relationProblems } from './relations.ts';
import { parseBytes, parseDuration } from './units.ts';
import { type GivenSettings, type Settings, validateSettings } from './validate.ts';

export type { Config } from './config.ts';
export { ConfigError } from './config-error.ts';

/**
 * The settings of this process: what the environment sets, else what the file named by GANTRY_CONFIG
 * sets, else the defaults. Throws `ConfigError` with everything that is wrong at once.
 */
export function loadConfig(
  env: Readonly<Record<string, string | undefined>>,
  options: { readonly cwd: string },
): Config {
  const problems: string[] = [];
  const fromEnv = readEnv(env, problems);
  const file = env.GANTRY_CONFIG;
  const fromFile = file ? readConfigFile(resolve(options.cwd, file), problems) : {};
  const given: GivenSettings = { ...fromFile, ...fromEnv };
  const settings = validateSettings(given, problems);
  if (problems.length > 0) throw new ConfigError(problems);
  const relations = relationProblems(settings, given);
  if (relations.length > 0) throw new ConfigError(relations);
  return deepFreeze(toConfig(settings, env, options.cwd));
}

function toConfig(
  s: Settings,
  env: Readonly<Record<string, string | undefined>>,
  cwd: string,
): Config {
  const tls = s.tlsCert && s.tlsKey;
  return {
    data: resolve(cwd, s.data),
    host: s.host,
    port: s.port,
    workers: s.workers === 'auto' ? Math.min(64, availableParallelism()) : Number(s.workers),
    publicUrl: s.publicUrl === undefined ? undefined : new URL(s.publicUrl).origin,
    audience: s.audience,
    tls: tls ? { cert: resolve(cwd, s.tlsCert!), key: resolve(cwd, s.tlsKey!) } : undefined,
    trustedProxies: s.trustedProxies,
    outboundAllow: s.outboundAllow,
    logLevel: s.logLevel,
    metrics: s.metrics,
    metricsToken: s.metricsToken,
    databaseUrl: s.databaseUrl,
    blobs: s.blobs === undefined ? join(resolve(cwd, s.data), 'blobs') : resolve(cwd, s.blobs),
    storage: parseStorage(s.storage)!,
    s3: {
      endpoint: trimSlash(s.s3Endpoint),
      publicEndpoint: trimSlash(s.s3PublicEndpoint),
      redirect: s.s3Redirect,
      region: s.s3Region ?? (env.AWS_REGION || (s.s3Endpoint ? 'us-east-1' : undefined)),
      pathStyle: s.s3PathStyle ?? s.s3Endpoint !== undefined,
    },
    secretKey: s.secretKey === undefined ? undefined : parseKey(s.secretKey),
    plan: s.plan,
    layerLimit: s.layerLimit === undefined ? undefined : parseBytes(s.layerLimit),
    imageLimit: s.imageLimit === undefined ? undefined : parseBytes(s.imageLimit),
    storageLimit: s.storageLimit === undefined ? undefined : parseBytes(s.storageLimit),
    transferLimit: s.transferLimit === undefined ? undefined : parseBytes(s.transferLimit),
    measure: s.measure,
    cacheManifests: parseBytes(s.cacheManifests)!,
    collectInterval: parseDuration(s.collectInterval)!,
    collectLease: parseDuration(s.collectLease)!,
    collectDelay: parseDuration(s.collectDelay)!,
    scrubInterval: parseDuration(s.scrubInterval)!,
    scrubRate: parseBytes(s.scrubRate)!,
    undeleteFor: parseDuration(s.undeleteFor)!,
    retentionInterval: parseDuration(s.retentionInterval)!,
    uploadExpiry: parseDuration(s.uploadExpiry)!,
    eventRetention: parseDuration(s.eventRetention)!,
    eventLimit: s.eventLimit,
    webhookTimeout: parseDuration(s.webhookTimeout)!,
    webhookAttempts: s.webhookAttempts,
    webhookBackoff: parseDuration(s.webhookBackoff)!,
    webhookExpiry: parseDuration(s.webhookExpiry)!,
    auditRetention: parseDuration(s.auditRetention)!,
    tokenTtl: parseDuration(s.tokenTtl)!,
    exchangedTokenTtl: parseDuration(s.exchangedTokenTtl)!,
    issuerKeyRotation: parseDuration(s.issuerKeyRotation)!,
    signIn: s.signinIssuer
      ? {
          issuer: s.signinIssuer,
          clientId: s.signinClientId!,
          clientSecret: s.signinClientSecret,
          allow: s.signinAllow,
        }
      : undefined,
    sessionIdle: parseDuration(s.sessionIdle)!,
    sessionTtl: parseDuration(s.sessionTtl)!,
    rates: {
      loginFailures: s.rateLoginFailures,
      token: s.rateToken,
      apiReads: s.rateApiReads,
      apiWrites: s.rateApiWrites,
      manifests: s.rateManifests,
      blobs: s.rateBlobs,
    },
    headersTimeout: parseDuration(s.headersTimeout)!,
    bodyTimeout: parseDuration(s.bodyTimeout)!,
    keepAlive: parseDuration(s.keepAlive)!,
    drainDelay: parseDuration(s.drainDelay)!,
    drainTimeout: parseDuration(s.drainTimeout)!,
    functions: functionsConfig(s),
    fileThreads: s.fileThreads,
  };
}

function trimSlash(url: string | undefined): string | undefined {
  return url?.replace(/\/+$/, '');
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}
