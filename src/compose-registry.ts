/** What answers clients of the registry, in every process that does: compose.ts wires what stands on it. */
import { Authenticator } from './auth/authenticator.ts';
import { Identities } from './auth/identities.ts';
import { KeyKeeper, keyRules } from './auth/installation-keys.ts';
import { Issuer } from './auth/issuer.ts';
import { KeyRings } from './auth/key-rings.ts';
import { createLogin, type LoginResult } from './auth/login.ts';
import { MintedCredentials } from './auth/minted-credentials.ts';
import { createOidcVerifier } from './auth/oidc-verifier.ts';
import type { OutboundGuard } from './auth/outbound-guard.ts';
import { RegistryTokens } from './auth/registry-tokens.ts';
import { TokenService } from './auth/token-service.ts';
import { UploadUrls } from './auth/upload-urls.ts';
import type { Config } from './config/config.ts';
import type { Plans } from './config/plans.ts';
import { AuditLog } from './events/audit-log.ts';
import { type ForwardedRequests, Origins } from './http/origin.ts';
import { RateLimits } from './http/rate-limits.ts';
import type { Services } from './http/services.ts';
import { LastUse, ManifestUses } from './maintenance/last-use.ts';
import { quarantineManifest } from './maintenance/scrub-manifests.ts';
import type { Logger } from './observability/logger.ts';
import { Metrics } from './observability/metrics.ts';
import type { BlobStore } from './ports/blob-store.ts';
import type { Clock } from './ports/clock.ts';
import type { DeploymentPlanner } from './ports/deployment-planner.ts';
import type { Metadata } from './ports/metadata.ts';
import type { RateLimiters } from './ports/rate-limiter.ts';
import { newId } from './projects/ids.ts';
import { ConfigBytes } from './registry/config-bytes.ts';
import { createEnsureRepository } from './registry/ensure-repository.ts';
import { Listing } from './registry/list.ts';
import { BlobMount } from './registry/mount-blob.ts';
import { Pull } from './registry/pull.ts';
import { BlobPush, type BlobPushDeps } from './registry/push-blob.ts';
import { createManifestPush, type ManifestPushDeps } from './registry/push-manifest.ts';
import { TransferMeter } from './registry/transfer-meter.ts';

const lastUseEveryMs = 30_000;
const transferEveryMs = 10_000;

export interface RegistryDeps {
  readonly config: Config;
  readonly metadata: Metadata;
  readonly store: BlobStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly plans: Plans;
  readonly wrappingKey: Buffer;
  readonly outbound: OutboundGuard;
  /** Where the server is reached; known once it listens. */
  readonly url: () => string;
  readonly limiters: RateLimiters;
  /** Undefined: no other process forwards requests to this one. */
  readonly forwarded: ForwardedRequests | undefined;
  readonly claims: BlobPushDeps['claims'];
  readonly planner: DeploymentPlanner;
  readonly deploymentUrl: (host: string) => string | undefined;
  /** Keys were replaced here. */
  readonly rotated?: (() => void) | undefined;
  /** Bytes are to be removed. */
  readonly discarded: () => void;
  /** Layers are to be measured. */
  readonly pushed: () => void;
}

/** The registry's services, and what more is made of their parts. */
export interface OpenRegistry {
  readonly services: Services;
  readonly keyRings: KeyRings;
  readonly issuer: Issuer;
  readonly identities: Identities;
  readonly oidc: ReturnType<typeof createOidcVerifier>;
  readonly login: (username: string, password: string) => Promise<LoginResult>;
  readonly credentials: MintedCredentials;
  readonly audit: AuditLog;
  readonly manifestPush: ManifestPushDeps;
  /** Notes the use of a token. */
  readonly used: (tokenId: string) => void;
  /** Writes down when manifests were last used, as far as this process knows. */
  readonly flushUses: () => Promise<void>;
}

export async function openRegistry(
  deps: RegistryDeps,
  opened: (() => Promise<unknown> | unknown)[],
): Promise<OpenRegistry> {
  const { config, metadata, store, clock, logger, plans, wrappingKey, outbound, url } = deps;
  const { writer } = metadata;
  const keyRings = keyRingsOf(config, metadata, clock, wrappingKey, deps.rotated);
  const registryKeys = await keyRings.open('registry-token');
  const ttlSeconds = Math.floor(config.tokenTtl / 1000);
  const registryTokens = new RegistryTokens({ keys: registryKeys, clock, ttlSeconds });
  const uploadUrls = new UploadUrls({
    keys: await keyRings.open('upload-url'),
    ...{ clock, lifetimeMs: config.uploadExpiry },
  });
  const audience = () => config.audience ?? url();
  const issuer = new Issuer({
    ...{ keys: await keyRings.open('issuer', { later: true }), clock, audience, url },
  });

  const identities = new Identities({ ...metadata, clock });
  const lastUse = new LastUse({
    ...{ clock, everyMs: lastUseEveryMs },
    write: (uses) => writer.run('TouchTokens', { uses }),
  });
  opened.push(() => lastUse.close());
  const lastPull = new LastUse({
    ...{ clock, everyMs: lastUseEveryMs },
    write: (uses) => writer.run('TouchRepositories', { uses }),
  });
  opened.push(() => lastPull.close());
  const manifestUses = new ManifestUses({ writer, clock, everyMs: lastUseEveryMs });
  opened.push(() => manifestUses.close());
  const { trustPolicies } = metadata;
  const oidc = createOidcVerifier({
    ...{ trustPolicies, audience, clock, own: issuer, outbound, log: logger },
  });
  opened.push(() => oidc.close());
  const keeper = new KeyKeeper({
    ...{ rings: keyRings, clock, log: logger, rotateAfterMs: config.issuerKeyRotation },
  });
  opened.push(() => keeper.close());
  const credentials = new MintedCredentials({ keys: registryKeys, clock, issuer });
  const used = (id: string) => lastUse.note(id);
  const login = createLogin({ identities, oidc, clock, minted: credentials, used });
  const metrics = new Metrics();

  const blobPush = new BlobPush({
    ...{ store, uploads: metadata.uploads, writer, clock },
    newUploadId: () => newId('upl'),
    ...{ expiryMs: config.uploadExpiry, leaseMs: config.collectLease },
    discarded: deps.discarded,
    claims: deps.claims,
  });
  opened.push(() => blobPush.close());
  const audit = new AuditLog({
    ...{ writer, clock, log: logger, retentionMs: config.auditRetention },
    newId: () => newId('aud'),
    dropped: (count) => metrics.auditDropped.inc(count),
  });
  opened.push(() => audit.close());
  const transfer = new TransferMeter({ ...metadata, plans, clock, everyMs: transferEveryMs });
  opened.push(() => transfer.close());
  await transfer.refresh();
  const manifestPush: ManifestPushDeps = {
    ...{ configs: new ConfigBytes(store), blobs: metadata.blobs, writer, clock },
    ...{ pushed: deps.pushed, planner: deps.planner },
  };
  const services: Services = {
    authenticator: new Authenticator({
      ...{ registryTokens, identities, login, tokens: metadata.tokens, clock },
    }),
    login,
    tokenService: new TokenService({ ...metadata, registryTokens, identities, clock }),
    uploadUrls,
    pull: new Pull({
      ...{ ...metadata, store, cacheBytes: config.cacheManifests },
      damaged: (digest, bytes) => {
        quarantineManifest({ writer, clock, log: logger }, digest, bytes).catch((cause: unknown) =>
          logger.warn('a damaged manifest was not put aside', { digest, cause: String(cause) }),
        );
      },
    }),
    pulled: (repositoryId) => lastPull.note(repositoryId),
    used: (repositoryId, digest) => manifestUses.note(repositoryId, digest),
    blobPush,
    blobMount: new BlobMount({
      ...{ blobs: metadata.blobs, writer, clock, leaseMs: config.collectLease },
    }),
    transfer,
    putManifest: createManifestPush(manifestPush),
    deploymentUrl: deps.deploymentUrl,
    ensureRepository: createEnsureRepository({
      ...{ writer, clock, newRepositoryId: () => newId('repo') },
    }),
    listing: new Listing(metadata),
    ...{ metadata, plans, audit, clock, logger, metrics },
    origins: new Origins(config, deps.forwarded),
    limits: new RateLimits(config.rates, deps.limiters),
    settings: {
      bodyTimeoutMs: config.bodyTimeout,
      manifestLimit: Math.max(...Object.values(plans).map((plan) => plan.manifest)),
      ...{ undeleteForMs: config.undeleteFor, leaseMs: config.collectLease },
    },
  };
  return {
    ...{ services, keyRings, issuer, identities, oidc, login, credentials, audit, manifestPush },
    ...{ used, flushUses: () => manifestUses.flush() },
  };
}

export function keyRingsOf(
  config: Config,
  metadata: Metadata,
  clock: Clock,
  wrappingKey: Buffer,
  rotated?: () => void,
): KeyRings {
  const { keys, writer } = metadata;
  const newKeyId = () => newId('key');
  return new KeyRings({
    ...{ keys, writer, wrappingKey, clock, newId: newKeyId, rules: keyRules(config), rotated },
  });
}
