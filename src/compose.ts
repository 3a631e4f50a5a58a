/** The only file that constructs adapters and hands them to the rest. */
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { passed } from '../storage-adapters/blobs/young-garbage.ts';
import { collectAll, collectSooner } from '../storage-adapters/collector.ts';
import { openMetadata } from '../storage-adapters/metadata/open-metadata.ts';
import type { KeyRings } from './auth/key-rings.ts';
import { checkOwnIssuer } from './auth/oidc-shared-issuers.ts';
import { createOutboundGuard, type OutboundGuard } from './auth/outbound-guard.ts';
import { PolicySimulator } from './auth/policy-simulator.ts';
import { Sealer } from './auth/sealer.ts';
import { BrowserSessions } from './auth/sessions.ts';
import type { SignIn, SignInDeps } from './auth/sign-in.ts';
import { TokenExchange } from './auth/token-exchange.ts';
import { genericTrust, githubTrust, gitlabTrust, vercelTrust } from './auth/trust-presets.ts';
import { type OwnedFunctions, openOwnedFunctions } from './compose-owner.ts';
import { keyRingsOf, openRegistry } from './compose-registry.ts';
import { openScrubber, openScrubDesk } from './compose-scrub.ts';
import { openBlobStore } from './compose-store.ts';
import { fromWorkers, openWorkers, upgradesFromWorkers } from './compose-workers.ts';
import type { Config } from './config/config.ts';
import { peerAddress } from './config/peer-address.ts';
import { measureCap, plansWith } from './config/plans.ts';
import { loadSecretKey } from './config/secret-key.ts';
import { version } from './config/version.ts';
import { openEvents } from './events/open-events.ts';
import { ForwardedHeaders, forwardingKey } from './gateway/forwarding/forwarded-header.ts';
import { Forwarder } from './gateway/forwarding/forwarder.ts';
import type { ApiServices } from './http/api/api-services.ts';
import { recordOfSocket } from './http/api/audit.ts';
import { Cursors } from './http/api/cursor.ts';
import { Idempotency } from './http/api/idempotency.ts';
import { Principals } from './http/api/principal.ts';
import { apiRoutes } from './http/api/routes/index.ts';
import { createApp } from './http/app.ts';
import { byHost, type Peers, upgradesOf } from './http/by-host.ts';
import { createMemoryRateLimiter } from './http/memory-rate-limiter.ts';
import type { Origins } from './http/origin.ts';
import { listen } from './http/server.ts';
import { SessionCookies } from './http/session-cookies.ts';
import { CollectionDesk } from './maintenance/collection-desk.ts';
import { CollectionPlans } from './maintenance/collection-plan.ts';
import { Collector } from './maintenance/collector.ts';
import { Leader, leadsAlone } from './maintenance/leader.ts';
import { createMeasurer } from './maintenance/measure.ts';
import { Purger } from './maintenance/purger.ts';
import { Retainer } from './maintenance/retainer.ts';
import { Sweeper } from './maintenance/sweeper.ts';
import { createLogger, type Logger } from './observability/logger.ts';
import { describe } from './oci/errors.ts';
import type { BlobStore } from './ports/blob-store.ts';
import { systemClock } from './ports/clock.ts';
import type { CollectionPlanner } from './ports/collection-plan.ts';
import type { LeaseName } from './ports/leases.ts';
import type { Metadata } from './ports/metadata.ts';
import type { ScrubControl } from './ports/scrub.ts';
import { type Admin, createAdmin } from './projects/admin.ts';
import type { AdminDeps, AuditEntry } from './projects/admin-context.ts';
import type { AdminStatus } from './projects/admin-methods.ts';
import { openAdminSocket } from './projects/admin-socket.ts';
import { type Bootstrap, firstStart } from './projects/first-start.ts';
import { newId } from './projects/ids.ts';
import { statusOf } from './projects/status.ts';
import { newToken } from './projects/token-secret.ts';
import { ImageIntake } from './registry/archives/intake.ts';
import { ImageInspector } from './registry/inspect.ts';
import { createManifestsPush } from './registry/push-manifest.ts';
import { UploadClaims } from './registry/upload-claims.ts';

const sweepEveryMs = 60_000;
/** How often workers are told whether pushes deploy, where that has changed. */
const tellEveryMs = 500;

export interface Gantry {
  readonly url: string;
  readonly logger: Logger;
  readonly bootstrap: Bootstrap | undefined;
  /** True on the start that made the first team. */
  readonly first: boolean;
  /** Undefined: functions are off. `missing`: why none can run, and how to mend that. */
  readonly functions:
    | { readonly missing: string | undefined; readonly warnings: readonly string[] }
    | undefined;
  /** Takes no new requests, lets those under way end, then closes everything. */
  stop(): Promise<void>;
}

/** Opens the stores, makes what is missing, listens. Undoes what it opened where a later step fails. */
export async function start(config: Config): Promise<Gantry> {
  collectSooner();
  const opened: (() => Promise<unknown> | unknown)[] = [];
  const closeAll = async (): Promise<void> => {
    for (const close of opened.reverse()) await close();
    opened.length = 0;
  };
  try {
    const metadata = await openMetadata({ folder: config.data, databaseUrl: config.databaseUrl });
    opened.push(() => metadata.close());
    const store = await openBlobStore(config);
    opened.push(() => store.close());
    return await compose(config, metadata, store, opened, closeAll);
  } catch (error) {
    await closeAll();
    throw error;
  }
}

async function compose(
  config: Config,
  metadata: Metadata,
  store: BlobStore,
  opened: (() => Promise<unknown> | unknown)[],
  closeAll: () => Promise<void>,
): Promise<Gantry> {
  const clock = systemClock;
  const logger = createLogger({ level: config.logLevel });
  const { writer } = metadata;
  const plans = plansWith(config);
  let url = config.publicUrl ?? '';

  const maintenance = metadata.notices && leaderOf(metadata, 'maintenance', logger);
  if (maintenance) opened.push(() => maintenance.close());
  await maintenance?.look();
  const leading = maintenance ?? leadsAlone(writer);
  const leads = () => leading.leads;

  const wrappingKey = await loadSecretKey(config);
  const forwarded =
    metadata.notices && new ForwardedHeaders({ key: forwardingKey(wrappingKey), clock });
  const outbound = createOutboundGuard({ allow: config.outboundAllow });
  opened.push(() => outbound.close());
  const workers =
    config.workers > 1
      ? openWorkers({
          ...{ config, writer, logger },
          discarded: () => sweeper.wake(),
          pushed: () => config.measure && measurer.wake(),
        })
      : undefined;
  const deploys = () => functions?.current.planner.enabled() ?? false;
  const registry = await openRegistry(
    {
      ...{ config, metadata, store, clock, logger, plans, wrappingKey, outbound },
      url: () => url,
      limiters: workers?.desk.limiters ?? createMemoryRateLimiter,
      forwarded,
      claims: metadata.notices ? new UploadClaims(writer, newId('rep')) : workers?.desk.claims,
      // Asked at each push: functions may come later, with their engine, or change hands.
      planner: { enabled: deploys, plan: (push) => functions?.current.planner.plan(push) },
      deploymentUrl: (host) => functions?.current.urlOf(host),
      discarded: () => sweeper.wake(),
      pushed: () => config.measure && measurer.wake(),
      rotated: () => workers?.supervisor.rotated(),
    },
    opened,
  );
  const { services: own, keyRings, issuer, identities, oidc, login, credentials, audit } = registry;
  const { blobPush, pull, listing, origins, metrics } = own;
  const audience = () => config.audience ?? url;
  const sealer = new Sealer(await keyRings.open('sealing'));
  const cursors = new Cursors(await keyRings.open('cursor'));
  // Where other replicas reach this one; known once it listens.
  let peer: string | undefined;
  const leases = metadata.notices && {
    engine: leaderOf(metadata, 'functions', logger, () => peer),
    next: leaderOf(metadata, 'functions-next', logger),
  };
  if (leases) opened.push(() => Promise.all([leases.engine.close(), leases.next.close()]));
  const functions = await openOwnedFunctions(
    {
      ...{
        config,
        metadata,
        clock,
        logger,
        plans,
        credentials,
        sealer,
        origins,
        wrappingKey,
      },
      ...{ metrics, outbound },
      url: () => url,
    },
    leases,
  );
  opened.push(() => functions?.release());
  const peers = functions && forwarded && openPeers(functions, forwarded, origins);
  if (peers) opened.push(() => peers.forwarder.close());

  const measurer = createMeasurer({
    blobs: metadata.blobs,
    writer,
    store,
    cap: measureCap(plans),
    log: logger,
  });
  opened.push(() => measurer.stop());
  const sweeper = new Sweeper(
    {
      store,
      blobs: metadata.blobs,
      uploads: metadata.uploads,
      trash: metadata.trash,
      writer,
      clock,
      leads,
      cancel: (row) => blobPush.cancel(row),
      failed: (cause) => logger.warn('sweep failed, will be tried again', { cause: String(cause) }),
    },
    sweepEveryMs,
  );
  opened.push(() => sweeper.stop());
  const purger = new Purger(
    {
      leading,
      failed: (cause) =>
        logger.warn('purge of deleted repositories failed, will be tried again', {
          cause: describe(cause),
        }),
    },
    sweepEveryMs,
  );
  opened.push(() => purger.stop());

  const events = openEvents({
    ...{ metadata, leading, outbound, seal: sealer, clock, newId, log: logger, metrics },
    settings: config,
  });
  opened.push(() => events.close());
  const collectionFailed = (cause: unknown) =>
    logger.warn('collection failed, will be tried again', { cause: describe(cause) });
  const collector = new Collector(
    {
      ...{ collection: metadata.collection, writer, clock, delayMs: config.collectDelay, leads },
      newId: () => newId('col'),
      discarded: () => sweeper.wake(),
      failed: collectionFailed,
      freed: (bytes) => metrics.collected.inc(bytes),
    },
    config.collectInterval || undefined,
  );
  opened.push(() => collector.stop());
  const retainer = new Retainer(
    {
      ...{ ...metadata, clock, leads, undeleteForMs: config.undeleteFor },
      flushUses: async () => {
        await Promise.all([registry.flushUses(), workers?.supervisor.flushUses()]);
      },
      failed: (cause) =>
        logger.warn('retention failed, will be tried again', { cause: describe(cause) }),
    },
    config.retentionInterval || undefined,
  );
  opened.push(() => retainer.stop());
  const scrubber = openScrubber(config, { metadata, store, leading, clock, logger, metrics });
  opened.push(() => scrubber.stop());
  const collectionPlans = new CollectionPlans(metadata.collectionPlan, clock);
  const scrub = openScrubDesk(config, metadata, clock, () => scrubber.wake());
  const imageIntake = await ImageIntake.open(join(config.data, 'spool'), {
    ...{ blobs: metadata.blobs, blobPush, passed },
    putManifests: createManifestsPush(registry.manifestPush),
  });
  opened.push(() => imageIntake.close());

  const startedAt = clock.now();
  const admin = adminOf(config, metadata, outbound, {
    keys: keyRings,
    ownIssuer: () => url,
    status: () => statusOf(config, url, startedAt, functions?.current.volumes?.unknownCount),
    volumes: () => functions?.current.volumes,
    scrub,
    collectionPlans,
    collections: new CollectionDesk({
      ...{ run: () => collector.run(), goesOn: true },
      ...{ newId: () => newId('col'), failed: collectionFailed },
    }),
    audit: (entry) => audit.record(recordOfSocket(entry)),
  });
  const sessions = new BrowserSessions({
    ...{ sessions: metadata.sessions, identities, writer, clock, newId: () => newId('ses') },
    ...{ idleMs: config.sessionIdle, lifetimeMs: config.sessionTtl },
  });
  const cookies = new SessionCookies({ sessions, origins });
  const services: ApiServices = {
    ...own,
    admin,
    cookies,
    signIn: await signInOf(config, { sessions: metadata.sessions, writer, sealer, clock, logger }),
    principals: new Principals({
      ...{ identities, login, oidc, sessions: cookies },
      used: registry.used,
    }),
    cursors,
    issuer,
    simulator: new PolicySimulator({ oidc, audience }),
    idempotency: new Idempotency({ writer, sealer, clock }),
    sealer,
    ...{ events: events.events, followers: events.followers, webhooks: events.webhooks },
    tokenExchange: new TokenExchange({
      ...{ ...metadata, oidc, clock, newToken, newId: () => newId('itk') },
      ttlMs: () => config.exchangedTokenTtl,
      names: () => [url, ...(config.audience ? [config.audience] : [])],
    }),
    discarded: () => {
      sweeper.wake();
      purger.wake();
    },
    inspector: new ImageInspector({
      ...{ ...metadata, store, pull, listing },
      configLimit: Math.max(...Object.values(plans).map((plan) => plan.config)),
    }),
    imageIntake,
    collector,
    retainer,
    collectionPlans,
    scrub,
    get runtime() {
      return functions?.current.runtime;
    },
    forwarder: peers?.forwarder,
    get records() {
      return functions?.current.records.live;
    },
    get functions() {
      return functions?.current.api;
    },
  };

  // Once what bootstrap.json promises is there, and until a drain begins.
  let ready = false;
  const app = createApp(services, {
    routes: apiRoutes({ version }),
    draining: () => !ready,
    metrics: { access: config.metrics, token: config.metricsToken },
  });
  const listener = functions ? byHost(() => functions.current.gateway, app, peers) : app;
  const upgrades = functions && upgradesOf(() => functions.current.gateway, peers);
  const server = await listen(
    workers ? fromWorkers(listener) : listener,
    {
      host: config.host,
      port: config.port,
      socketPath: workers?.socketPath,
      tls: workers ? undefined : config.tls,
      headersTimeoutMs: config.headersTimeout,
      keepAliveMs: config.keepAlive,
    },
    upgrades && workers ? upgradesFromWorkers(upgrades) : upgrades,
  );
  opened.push(() => server.close());
  if (functions) opened.push(() => functions.close());
  // Once nothing is asked of them any more.
  if (functions) opened.push(() => functions.drain());
  opened.push(() => server.drain(config.drainTimeout));
  opened.push(() => workers?.supervisor.drain(config.drainTimeout));
  // Before the drain: streams would never end by themselves.
  opened.push(() => events.followers.close());
  const listening = (await workers?.supervisor.start()) ?? server.url;
  url = config.publicUrl ?? listening;
  peer = peerAddress(config, Number(new URL(listening).port));
  if (peers && !peer) logger.info('other replicas cannot reach this one: set GANTRY_PEER_URL');
  const socket = await openAdminSocket({
    folder: config.data,
    admin,
    failed: (error) => logger.error('admin command failed', { cause: String(error) }),
  });
  opened.push(() => socket.close());
  const made = await firstStart({ metadata, folder: config.data, url, plan: config.plan, clock });
  await functions?.start();
  if (functions) logger.info('functions', { ...(await functions.current.api.status()) });
  maintenance?.onGained(() => {
    events.relay.wake();
    events.sender.wake();
    sweeper.wake();
    purger.wake();
    scrubber.wake();
  });
  scrubber.wake();
  sweeper.wake();
  purger.wake();
  if (config.measure) measurer.wake();
  const warnings = await functions?.current.api.warnings();
  collectAll();
  // Nothing is waited for from here on: who sees it ready may stop it at once.
  ready = true;
  if (workers) {
    const { supervisor } = workers;
    const tell = () => supervisor.tell({ ready, deploys: deploys() });
    tell();
    const telling = setInterval(tell, tellEveryMs).unref();
    opened.push(() => clearInterval(telling));
    metrics.others = () => supervisor.scrapes();
  }
  return {
    url,
    logger,
    bootstrap: made?.bootstrap,
    first: made?.created ?? false,
    functions: functions && {
      missing: functions.current.missing,
      warnings: (warnings ?? []).map(({ message, hint }) => [message, hint].join(' ')),
    },
    async stop() {
      ready = false;
      workers?.supervisor.tell({ ready });
      await delay(config.drainDelay);
      await closeAll();
    },
  };
}

function openPeers(functions: OwnedFunctions, headers: ForwardedHeaders, origins: Origins): Peers {
  const from = (req: IncomingMessage) => {
    const asked = origins.requested(req);
    return asked && { ...asked, address: origins.clientAddress(req) };
  };
  const { owners } = functions;
  const leaving = () => functions.leaving;
  return { headers, forwarder: new Forwarder({ owners, headers, from, leaving }) };
}

async function signInOf(
  { signIn: settings }: Config,
  {
    logger: log,
    ...deps
  }: Pick<SignInDeps, 'sessions' | 'writer' | 'sealer' | 'clock'> & { logger: Logger },
): Promise<SignIn | undefined> {
  if (!settings) return undefined;
  // Loaded where there is a provider: its client takes memory.
  const { SignIn } = await import('./auth/sign-in.ts');
  return new SignIn({ ...deps, settings, log, newAccountId: () => newId('acc') });
}

function leaderOf(
  metadata: Metadata,
  name: LeaseName,
  log: Logger,
  address?: () => string | undefined,
): Leader {
  const { leases, writer } = metadata;
  const deps = { ...{ name, leases, writer, log }, holder: newId('rep') };
  return new Leader({ ...deps, ...(address && { address }) });
}

/** The admin commands without a server: on the data folder alone, which nothing else may be using. */
export async function openOffline(
  config: Config,
): Promise<{ admin: Admin; close: () => Promise<void> }> {
  const metadata = await openMetadata({ folder: config.data, databaseUrl: config.databaseUrl });
  const outbound = createOutboundGuard({ allow: config.outboundAllow });
  const url = config.publicUrl ?? `http://${config.host}:${config.port}`;
  const complain = (cause: unknown) => process.emitWarning(describe(cause));
  const collector = new Collector(
    {
      ...{ collection: metadata.collection, writer: metadata.writer, clock: systemClock },
      ...{ delayMs: config.collectDelay, newId: () => newId('col') },
      ...{ discarded: () => {}, failed: complain },
    },
    undefined,
  );
  const admin = adminOf(config, metadata, outbound, {
    keys: keyRingsOf(config, metadata, systemClock, await loadSecretKey(config)),
    ownIssuer: () => url,
    status: () => statusOf(config, url),
    volumes: () => undefined,
    scrub: openScrubDesk(config, metadata, systemClock),
    collectionPlans: new CollectionPlans(metadata.collectionPlan, systemClock),
    // The next server removes the bytes.
    collections: new CollectionDesk({
      ...{ run: () => collector.run(), goesOn: false },
      ...{ newId: () => newId('col'), failed: complain },
    }),
  });
  return {
    admin,
    close: async () => {
      await outbound.close();
      await metadata.close();
    },
  };
}

function adminOf(
  config: Config,
  metadata: Metadata,
  outbound: OutboundGuard,
  rest: {
    keys: KeyRings;
    ownIssuer: () => string;
    status: () => AdminStatus;
    scrub: ScrubControl;
    volumes: AdminDeps['volumes'];
    collectionPlans: CollectionPlanner;
    collections: AdminDeps['collections'];
    audit?: (entry: AuditEntry) => void;
  },
): Admin {
  // Whoever makes a policy names an address that this server will call.
  const guarded =
    <T>(preset: (options: T) => ReturnType<typeof genericTrust>) =>
    (options: T) => {
      const trust = preset(options);
      // Its own keys are at hand: nothing is called for them.
      if (trust.issuer === rest.ownIssuer()) checkOwnIssuer(trust.claims);
      else outbound.check(trust.issuer);
      return trust;
    };
  return createAdmin({
    metadata,
    clock: systemClock,
    newId,
    newToken,
    presets: {
      github: guarded(githubTrust),
      gitlab: guarded(gitlabTrust),
      vercel: guarded(vercelTrust),
      generic: guarded(genericTrust),
    },
    plan: config.plan,
    ...rest,
  });
}
