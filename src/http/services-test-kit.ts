import { generateKeyPairSync, randomBytes } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { join } from 'node:path';
import { instanceAudience } from '../../conformance/tools/oidc-setup.ts';
import { Authenticator } from '../auth/authenticator.ts';
import { hashSecret, Identities } from '../auth/identities.ts';
import { keyRules } from '../auth/installation-keys.ts';
import { Issuer } from '../auth/issuer.ts';
import { KeyRings } from '../auth/key-rings.ts';
import { createLogin } from '../auth/login.ts';
import { MintedCredentials } from '../auth/minted-credentials.ts';
import { createOidcVerifier } from '../auth/oidc-verifier.ts';
import { createOutboundGuard } from '../auth/outbound-guard.ts';
import { PolicySimulator } from '../auth/policy-simulator.ts';
import { RegistryTokens } from '../auth/registry-tokens.ts';
import { Sealer } from '../auth/sealer.ts';
import { BrowserSessions } from '../auth/sessions.ts';
import { TokenExchange } from '../auth/token-exchange.ts';
import { TokenService } from '../auth/token-service.ts';
import { genericTrust, githubTrust, gitlabTrust, vercelTrust } from '../auth/trust-presets.ts';
import { UploadUrls } from '../auth/upload-urls.ts';
import { loadConfig } from '../config/load.ts';
import { plansWith } from '../config/plans.ts';
import { openEvents } from '../events/open-events.ts';
import { CollectionPlans } from '../maintenance/collection-plan.ts';
import { Collector } from '../maintenance/collector.ts';
import { ManifestUses } from '../maintenance/last-use.ts';
import { leadsAlone } from '../maintenance/leader.ts';
import { Retainer } from '../maintenance/retainer.ts';
import { ScrubDesk } from '../maintenance/scrub-desk.ts';
import type { Logger } from '../observability/logger.ts';
import { Metrics } from '../observability/metrics.ts';
import { blobLeaseMs } from '../ports/commands-collection.ts';
import type { TokenScope } from '../ports/tokens.ts';
import { createAdmin } from '../projects/admin.ts';
import { newId } from '../projects/ids.ts';
import { newToken } from '../projects/token-secret.ts';
import { ImageIntake } from '../registry/archives/intake.ts';
import { ConfigBytes } from '../registry/config-bytes.ts';
import { createEnsureRepository } from '../registry/ensure-repository.ts';
import { ImageInspector } from '../registry/inspect.ts';
import { Listing } from '../registry/list.ts';
import { BlobMount } from '../registry/mount-blob.ts';
import { Pull } from '../registry/pull.ts';
import { createManifestPush, createManifestsPush } from '../registry/push-manifest.ts';
import {
  expiryMs,
  newKey,
  openWorld,
  type World,
  type WorldStores,
} from '../registry/registry-test-kit.ts';
import { TransferMeter } from '../registry/transfer-meter.ts';
import type { ApiServices } from './api/api-services.ts';
import { Cursors } from './api/cursor.ts';
import { Idempotency } from './api/idempotency.ts';
import { Principals } from './api/principal.ts';
import { apiRoutes } from './api/routes/index.ts';
import { createApp } from './app.ts';
import { type Ends, serve } from './http-test-kit.ts';
import { createMemoryRateLimiter } from './memory-rate-limiter.ts';
import { Origins } from './origin.ts';
import { RateLimits } from './rate-limits.ts';
import { SessionCookies } from './session-cookies.ts';

const noRates = {
  ...{ loginFailures: 0, token: 0, apiReads: 0, apiWrites: 0, manifests: 0, blobs: 0 },
};
/** It is written down when a test says so. */
const never = 2 ** 31 - 1;

export interface LoggedLine {
  readonly level: string;
  readonly message: string;
  readonly [field: string]: unknown;
}

export interface Application {
  readonly world: World;
  readonly services: ApiServices;
  readonly port: number;
  /** Mints credentials for pulls and instances. */
  readonly minted: MintedCredentials;
  readonly logged: LoggedLine[];
  /** Ids of the repositories that were pulled from. */
  readonly pulled: readonly string[];
  /** A token of the world's team unless another is named, for `Authorization`. */
  token(
    scope: TokenScope,
    of?: { teamId?: string; projectIds?: string[] },
  ): Promise<{ id: string; secret: string; basic: string }>;
  fetch(path: string, init?: RequestInit): Promise<Response>;
}

export interface ApplicationParts extends WorldStores {
  readonly around?: (app: RequestListener) => RequestListener;
}

/** The whole application over real stores, but for the logger, whose lines are kept. */
export async function openApplication(
  t: Ends,
  change: (services: ApiServices) => Partial<ApiServices> = () => ({}),
  { around = (app: RequestListener) => app, ...stores }: ApplicationParts = {},
): Promise<Application> {
  const world = await openWorld(t, stores);
  const { metadata, store, clock } = world;
  const { writer } = metadata;
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const signing = { id: 'key_1', bytes: privateKey.export({ type: 'pkcs8', format: 'der' }) };
  const registryTokens = new RegistryTokens({ keys: [signing], clock, ttlSeconds: 300 });
  const identities = new Identities({ ...metadata, clock });
  const sealer = new Sealer([{ id: 'key_3', bytes: Buffer.alloc(32, 3) }]);
  const logged: LoggedLine[] = [];
  const log = (level: string) => (message: string, fields?: object) =>
    void logged.push({ ...fields, level, message });
  const logger: Logger = {
    error: log('error'),
    warn: log('warn'),
    info: log('info'),
    debug: log('debug'),
    writes: () => true,
  };
  const outbound = createOutboundGuard({ allow: ['loopback'] });
  const audience = () => instanceAudience;
  const keyRings = new KeyRings({
    ...{ keys: metadata.keys, writer, clock, newId: () => newId('key') },
    ...{ wrappingKey: Buffer.alloc(32, 5) },
    rules: keyRules({ tokenTtl: 300_000, uploadExpiry: expiryMs }),
  });
  const issuer = new Issuer({
    keys: await keyRings.open('issuer', { later: true }),
    ...{ clock, audience, url: () => 'https://registry.example' },
  });
  const oidc = createOidcVerifier({
    ...metadata,
    own: issuer,
    audience,
    clock,
    outbound,
    log: logger,
  });
  t.after(async () => {
    oidc.close();
    await outbound.close();
  });
  const minted = new MintedCredentials({ keys: [signing], clock, issuer });
  const login = createLogin({ identities, clock, used: () => {}, oidc, minted });
  const uploadKey = { id: 'key_2', bytes: randomBytes(32) };
  const metrics = new Metrics();
  const events = openEvents({
    leading: leadsAlone(metadata.writer),
    ...{ metadata, outbound, seal: sealer, clock, newId, log: logger, metrics },
    settings: loadConfig({}, { cwd: world.folder }),
  });
  t.after(() => {
    events.followers.close();
    return events.close();
  });
  const blobPush = world.blobPush({ newUploadId: () => newKey() });
  const manifestDeps = { ...metadata, configs: new ConfigBytes(store), clock, pushed: () => {} };
  const origins = new Origins({ trustedProxies: [], publicUrl: undefined });
  const sessions = new BrowserSessions({
    ...{ sessions: metadata.sessions, identities, writer, clock, newId: () => newId('ses') },
    ...{ idleMs: 3_600_000, lifetimeMs: 86_400_000 },
  });
  const cookies = new SessionCookies({ sessions, origins });
  const collectionPlans = new CollectionPlans(metadata.collectionPlan, clock);
  const scrub = new ScrubDesk({
    ...{ ...metadata, clock, newId: () => newId('scr'), wake: () => {} },
    ...{ rate: 2 ** 20, intervalMs: undefined },
  });
  const manifestUses = new ManifestUses({ writer, clock, everyMs: never });
  let repositories = 0;
  const pulled: string[] = [];
  const pull = new Pull({ ...metadata, store, cacheBytes: 1 << 20 });
  const listing = new Listing(metadata);
  const real: ApiServices = {
    authenticator: new Authenticator({
      registryTokens,
      identities,
      login,
      tokens: metadata.tokens,
      clock,
    }),
    login,
    tokenExchange: new TokenExchange({
      ...{ ...metadata, oidc, clock, newToken, newId: () => newId('itk') },
      ...{ ttlMs: () => 900_000, names: () => [instanceAudience] },
    }),
    tokenService: new TokenService({ ...metadata, registryTokens, identities, clock }),
    uploadUrls: new UploadUrls({ keys: [uploadKey], clock, lifetimeMs: expiryMs }),
    pulled: (id) => void pulled.push(id),
    used: (repositoryId, digest) => manifestUses.note(repositoryId, digest),
    discarded: () => {},
    blobPush,
    pull,
    inspector: new ImageInspector({ ...metadata, store, pull, listing, configLimit: 1e6 }),
    blobMount: new BlobMount({ ...metadata, clock }),
    transfer: new TransferMeter({ ...metadata, plans: plansWith(), clock, everyMs: never }),
    putManifest: createManifestPush(manifestDeps),
    imageIntake: await ImageIntake.open(join(world.folder, 'spool'), {
      ...{ blobs: metadata.blobs, blobPush, passed: () => {} },
      putManifests: createManifestsPush(manifestDeps),
    }),
    ensureRepository: createEnsureRepository({
      ...{ writer, clock },
      newRepositoryId: () => `repo_made_${++repositories}`,
    }),
    listing,
    metadata,
    plans: plansWith(),
    limits: new RateLimits(noRates, createMemoryRateLimiter),
    origins,
    cookies,
    issuer,
    simulator: new PolicySimulator({ oidc, audience }),
    signIn: undefined,
    clock,
    logger,
    metrics,
    collector: new Collector(
      {
        ...{ ...metadata, clock, delayMs: 0, discarded: () => {} },
        failed: (error) => logger.error('collection', { cause: String(error) }),
      },
      undefined,
    ),
    retainer: new Retainer(
      {
        ...{ ...metadata, clock, undeleteForMs: 86_400_000 },
        flushUses: () => manifestUses.flush(),
        failed: (error) => logger.error('retention', { cause: String(error) }),
      },
      undefined,
    ),
    ...{ scrub, collectionPlans },
    admin: createAdmin({
      ...{ scrub, collectionPlans, volumes: () => undefined, collections: {} as never },
      ...{ metadata, clock, newId, newToken, plan: 'self-hosted', keys: keyRings },
      presets: {
        github: githubTrust,
        gitlab: gitlabTrust,
        vercel: vercelTrust,
        generic: genericTrust,
      },
      status: () => ({
        ...{ version: '0', url: 'http://127.0.0.1:5050', running: true, pid: 1 },
        ...{ data: '/data', storage: 'filesystem', database: 'sqlite' },
      }),
    }),
    principals: new Principals({ identities, login, oidc, sessions: cookies, used: () => {} }),
    cursors: new Cursors([{ bytes: Buffer.alloc(32, 4) }]),
    idempotency: new Idempotency({ writer, sealer, clock }),
    sealer,
    audit: { record: (record) => logged.push({ ...record, level: 'audit', message: 'audit' }) },
    ...{ events: events.events, followers: events.followers, webhooks: events.webhooks },
    settings: {
      ...{ bodyTimeoutMs: 500, manifestLimit: 4096, undeleteForMs: 86_400_000 },
      leaseMs: blobLeaseMs,
    },
  };
  const services = { ...real, ...change(real) };
  const app = createApp(services, {
    routes: apiRoutes({ version: '0' }),
    draining: () => false,
    metrics: { access: 'loopback', token: undefined },
  });
  const port = await serve(t, around(app));
  let tokens = 0;
  return {
    world,
    services,
    port,
    minted,
    logged,
    pulled,
    async token(scope, { teamId = 'team_1', projectIds } = {}) {
      const id = `tok_${++tokens}`;
      const secret = `gnt_${'x'.repeat(20)}${tokens}`;
      await writer.run('CreateToken', {
        token: {
          id,
          name: `name-of-${id}`,
          teamId,
          accountId: undefined,
          scope,
          projectIds,
          createdAt: 0,
          expiresAt: undefined,
          revokedAt: undefined,
          lastUsedAt: undefined,
        },
        hash: hashSecret(secret),
      });
      const basic = `Basic ${Buffer.from(`${teamId}:${secret}`).toString('base64')}`;
      return { id, secret, basic };
    },
    fetch: (path, init) => fetch(`http://127.0.0.1:${port}${path}`, init),
  };
}
