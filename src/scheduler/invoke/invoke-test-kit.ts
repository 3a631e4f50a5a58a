import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { Pool } from 'undici';
import { openSqliteMetadata } from '../../../storage-adapters/metadata/sqlite.ts';
import { digestOf } from '../../oci/digest.ts';
import type { ServiceSettings } from '../../ports/functions.ts';
import type { Invocation } from '../../ports/invocations.ts';
import type { Activator, RequestEnd } from '../activation.ts';
import { contractOf } from '../contracts/contracts.ts';
import type { Timers } from '../timers.ts';
import { InvocationQueue } from './invocation-queue.ts';
import { type InvocationPlace, Invoker } from './invoker.ts';

export const start = Date.UTC(2026, 10, 21);

export interface Asked {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** A database, a server in the place of instances, and time that a test moves. */
export async function openInvokeWorld(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'gantry-invoke-'));
  t.after(() => rm(folder, { recursive: true }));
  const metadata = await openSqliteMetadata({ folder });
  t.after(() => metadata.close());
  const { writer } = metadata;
  await writer.run('CreateTeam', {
    ...{ id: 'team_1', slug: 'acme', name: 'Acme', plan: 'pro', createdAt: start },
  });
  await writer.run('CreateProject', {
    ...{ id: 'prj_1', teamId: 'team_1', slug: 'shop', settings: {}, createdAt: start },
  });
  const asked: Asked[] = [];
  let respond = (
    _: Asked,
  ): { status?: number; headers?: Record<string, string>; body?: string } => ({ body: 'done' });
  const server = createServer(async (req, res) => {
    const body = Buffer.concat(await req.toArray()).toString();
    const one = { method: req.method!, url: req.url!, headers: req.headers, body };
    asked.push(one);
    const { status = 200, headers = {}, body: said = '' } = respond(one);
    res.writeHead(status, headers).end(said);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const origin = `http://127.0.0.1:${port}`;
  const dispatcher = new Pool(origin);
  t.after(async () => {
    await dispatcher.destroy();
    server.close();
  });
  let now = start;
  let refusal: Error | undefined;
  let leases = 0;
  const ends: RequestEnd[] = [];
  const activator: Activator = {
    async acquire(target) {
      if (refusal) throw refusal;
      leases += 1;
      const { service, host } = target;
      const { teamId, teamSlug, projectId, projectSlug, deploymentId, environment } = target;
      return {
        ...{ instanceId: 'ins_1', origin, address: '127.0.0.1', port, dispatcher },
        contract: contractOf(service.settings),
        place: {
          ...{ service, teamId, teamSlug, projectId, projectSlug, deploymentId, environment },
          ...{ host, instanceId: 'ins_1', region: 'local', memory: 2 ** 30, port },
        },
        credentials: {
          ...{ oidcToken: 'jwt', accessKeyId: 'id', accessKeySecret: 'secret' },
          securityToken: 'token',
        },
        ...{ queuedMs: 1, start: undefined },
        release: () => {
          leases -= 1;
        },
      };
    },
  };
  let requests = 0;
  const invoker = new Invoker({
    ...{ ...metadata, activator, clock: { now: () => now } },
    observer: { started: () => {}, ended: (end) => void ends.push(end) },
    newRequestId: () => `req_${++requests}`,
    ...{ address: () => 'localhost', timeoutMs: 10_000 },
  });
  const waits: { at: number; call: () => void }[] = [];
  const timers: Timers = {
    now: () => now,
    after(ms, call) {
      const wait = { at: now + ms, call };
      waits.push(wait);
      return { cancel: () => void waits.splice(waits.indexOf(wait) >>> 0, 1) };
    },
  };
  const newQueue = () =>
    new InvocationQueue({
      ...{ invocations: metadata.invocations, invoker, writer, clock: { now: () => now }, timers },
      log: { warn: (message) => assert.fail(message) },
      limits: {
        ...{ asyncParallel: 2, asyncResult: 8, attempts: 3, retryMs: 1000, keptMs: 1e9 },
      },
    });
  const place: InvocationPlace = {
    ...{ projectId: 'prj_1', service: 'web', environment: 'production', name: 'production' },
  };
  return {
    ...{ metadata, writer, invoker, asked, ends, newQueue, place },
    leases: () => leases,
    answering(how: typeof respond) {
      respond = how;
    },
    refusing(error: Error | undefined) {
      refusal = error;
    },
    /** Time goes on, and what waits for it is called. */
    pass(ms: number) {
      now += ms;
      for (const wait of waits.filter(({ at }) => at <= now)) {
        waits.splice(waits.indexOf(wait), 1);
        wait.call();
      }
    },
    async deploy(settings: ServiceSettings) {
      const digest = digestOf(Buffer.from('image'));
      const snapshot = {
        services: [
          {
            ...{ serviceId: 'svc_1', name: 'web', repositoryId: 'repo_1', digest, settings },
            repository: 'acme/shop/web',
          },
        ],
        rewrites: [],
      };
      await writer.run('CreateService', {
        ...{ id: 'svc_1', projectId: 'prj_1', name: 'web', repositoryId: undefined, settings },
        ...{ actor: 'ada', now },
      });
      await writer.run('CreateDeployment', {
        ...{ id: 'dpl_1', projectId: 'prj_1', environment: 'production', name: 'production' },
        ...{ snapshot, origin: { type: 'settings' }, hosts: ['h1'], pointerHosts: ['h2'] },
        ...{ serviceHosts: [], service: undefined, actor: 'ada', now },
      });
      return () =>
        writer.run('ActivateDeployment', { id: 'dpl_1', snapshot, pointerVersion: 0, now });
    },
    async queued(id: string, payload = 'event') {
      const invocation: Invocation = {
        ...{ id, ...place, state: 'queued', attempts: 0, runAt: now, contentType: undefined },
        ...{ result: undefined, error: undefined, createdAt: now, createdBy: 'ada' },
        finishedAt: undefined,
      };
      await writer.run('CreateInvocation', { invocation, payload: Buffer.from(payload), most: 9 });
    },
    async settled(id: string, is: (found: Invocation) => boolean) {
      for (;;) {
        const found = await metadata.invocations.find('prj_1', id);
        if (found && is(found)) return found;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    },
  };
}
