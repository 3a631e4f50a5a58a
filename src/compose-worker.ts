/** A worker: it answers clients of the registry, and passes everything else on to the primary. */
import { collectAll, collectSooner } from '../storage-adapters/collector.ts';
import { openSharedMetadata } from '../storage-adapters/metadata/open-metadata.ts';
import { createOutboundGuard } from './auth/outbound-guard.ts';
import { openRegistry } from './compose-registry.ts';
import { openBlobStore } from './compose-store.ts';
import { ownHosts } from './config/own-hosts.ts';
import { plansWith } from './config/plans.ts';
import { loadSecretKey } from './config/secret-key.ts';
import { FunctionHosts } from './gateway/function-hosts.ts';
import { listen } from './http/server.ts';
import { createWorkerApp } from './http/worker-app.ts';
import { createLogger } from './observability/logger.ts';
import { describe } from './oci/errors.ts';
import { systemClock } from './ports/clock.ts';
import { newId } from './projects/ids.ts';
import { UploadClaims } from './registry/upload-claims.ts';
import { functionUrl, withPort } from './scheduler/host-labels.ts';
import { createDeploymentPlanner } from './scheduler/reserve.ts';
import type { Channel } from './workers/channel.ts';
import { linkOf } from './workers/link.ts';
import type { Hello, WorkerState } from './workers/messages.ts';
import { sharesPorts } from './workers/port.ts';

export interface RunningWorker {
  readonly url: string;
  state(now: WorkerState): void;
  rotated(): Promise<void>;
  /** What it has counted, for the primary to add up. */
  scrape(): Promise<object>;
  flushUses(): Promise<void>;
  /** Takes no more connections, ends what is under way, writes down what it noted. */
  stop(timeoutMs: number): Promise<void>;
}

export async function startWorker(hello: Hello, channel: Channel): Promise<RunningWorker> {
  collectSooner();
  const { config, number, port, socketPath } = hello;
  let { state } = hello;
  const link = linkOf(channel);
  const clock = systemClock;
  const logger = createLogger({ level: config.logLevel, fields: { worker: number } });
  const opened: (() => Promise<unknown> | unknown)[] = [];
  const metadata = await openSharedMetadata({
    ...{ folder: config.data, databaseUrl: config.databaseUrl, writer: link.writer },
  });
  opened.push(() => metadata.close());
  const store = await openBlobStore(config);
  opened.push(() => store.close());
  const outbound = createOutboundGuard({ allow: config.outboundAllow });
  opened.push(() => outbound.close());
  let url = config.publicUrl ?? '';
  const { mode, domain } = config.functions;
  const functionsOn = mode !== 'off';
  const registry = await openRegistry(
    {
      ...{ config, metadata, store, clock, logger, plans: plansWith(config), outbound },
      wrappingKey: await loadSecretKey(config),
      url: () => url,
      limiters: link.limiters,
      // What another replica forwards is for the primary.
      forwarded: undefined,
      // Where replicas share the database, they must see the claims, too.
      claims: metadata.notices ? new UploadClaims(metadata.writer, newId('rep')) : link.claims,
      planner: createDeploymentPlanner({ enabled: () => functionsOn && state.deploys, newId }),
      deploymentUrl: (host) =>
        functionsOn
          ? functionUrl(host, { server: url, address: withPort(domain, url) })
          : undefined,
      discarded: () => link.discarded(),
      pushed: () => config.measure && link.pushed(),
    },
    opened,
  );
  const { services } = registry;
  const hosts = new FunctionHosts({
    ...{ deployments: metadata.deployments, clock, domain, ownHosts: ownHosts(config) },
  });
  const app = createWorkerApp(services, {
    draining: () => !state.ready,
    isFunctionHost: (host) => functionsOn && hosts.has(host),
    primary: { socketPath },
  });
  const server = await listen(
    app.listener,
    {
      ...{ host: config.host, port, tls: config.tls, shared: sharesPorts },
      ...{ headersTimeoutMs: config.headersTimeout, keepAliveMs: config.keepAlive },
    },
    functionsOn ? app.upgrades : undefined,
  );
  url = config.publicUrl ?? server.url;
  collectAll();
  return {
    url: server.url,
    state(now) {
      state = now;
    },
    rotated: () => registry.keyRings.reload(),
    scrape: () => services.metrics.scrape(),
    flushUses: registry.flushUses,
    async stop(timeoutMs) {
      state = { ...state, ready: false };
      await server.drain(timeoutMs);
      await server.close();
      app.close();
      for (const close of opened.reverse()) {
        try {
          await close();
        } catch (error) {
          // The others have something to write down, too.
          logger.error('a part could not be closed', { cause: describe(error) });
        }
      }
    },
  };
}
