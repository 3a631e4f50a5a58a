/** A Gantry of one topology: its processes, and nginx before them where they are several. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type Bootstrap,
  type Launched,
  launch,
  type Program,
  readBootstrap,
} from '../faults/support/gantry.ts';
import { freePorts } from '../tools/free-ports.ts';
import { startNginx, type Traffic } from '../tools/nginx.ts';
import { type Services, settingsOn } from './services.ts';
import type { Topology } from './topology.ts';

const readyWithinMs = 30_000;

export interface DeploymentOptions {
  readonly topology: Topology;
  readonly services: Services;
  /** For all that its processes write; with one that was used before it goes on with what is there. */
  readonly folder: string;
  readonly settings?: Readonly<Record<string, string>>;
  /** What all start with: this checkout's unless given. */
  readonly program?: Program | undefined;
}

export interface Deployment {
  /** What clients use: the server's own address, or nginx's. The same over restarts. */
  readonly origin: string;
  /** Each server's own. */
  readonly origins: readonly string[];
  readonly bootstrap: Bootstrap;
  /** Of the server that made the first team; `gantry admin` works with the settings and this as GANTRY_DATA. */
  readonly data: string;
  readonly settings: Readonly<Record<string, string>>;
  server(at: number): Launched;
  runs(at: number): boolean;
  /** Starts one again that has ended: from this checkout, unless it is given another program; `more` for this start. */
  start(at: number, program?: Program, more?: Readonly<Record<string, string>>): Promise<void>;
  /** Everything that all starts wrote to stdout and stderr. */
  output(): string;
  /** Ends all of them with SIGTERM (each must exit 0) or another signal. */
  halt(signal?: NodeJS.Signals): Promise<void>;
  /** Starts all again, with more settings where given. */
  resume(settings?: Readonly<Record<string, string>>): Promise<void>;
  /** Which server nginx gave which request. */
  traffic(): readonly Traffic[];
  /** `halt`, and nginx with them. */
  stop(): Promise<void>;
}

export async function startDeployment(options: DeploymentOptions): Promise<Deployment> {
  const { topology, folder } = options;
  await using stack = new AsyncDisposableStack();
  const several = topology.replicas > 1;
  const members = Array.from({ length: topology.replicas }, (_, at) => at);
  const dataOf = (at: number) => (several ? join(folder, `replica-${at}`) : folder);
  const [front, ...ports] = await freePorts(members.length + 1);
  const upstreams = ports.map((port) => `127.0.0.1:${port}`);
  const nginx = several ? await startNginx(front!, upstreams) : undefined;
  if (nginx) stack.defer(() => nginx.stop());
  let settings: Record<string, string> = {
    ...topology.settings,
    ...(await settingsOn(options.services, folder)),
    ...(nginx && behind(nginx.origin)),
    ...(several && topology.blobs === 'folder' && { GANTRY_BLOBS: join(folder, 'blobs') }),
    ...options.settings,
  };
  const servers: Launched[] = [];
  const alive = new Set<Launched>();
  let earlier = '';

  const start: Deployment['start'] = async (at, program, more) => {
    if (servers[at]) earlier += servers[at].output();
    const peer = several && { GANTRY_PEER_URL: `http://127.0.0.1:${ports[at]}` };
    const env = { ...peer, ...settings, GANTRY_PORT: String(ports[at]), ...more };
    const one = launch({ data: dataOf(at), env, program });
    servers[at] = one;
    alive.add(one);
    void one.exited.then(() => alive.delete(one));
    const waiting = new AbortController();
    const late = delay(readyWithinMs, undefined, { signal: waiting.signal }).then(
      () => {
        throw new Error(`the server was not ready in ${readyWithinMs} ms:\n${one.output()}`);
      },
      () => '',
    );
    await Promise.race([one.ready, late]).finally(() => waiting.abort());
  };
  const halt = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<void> => {
    const running = servers.filter((one) => alive.has(one));
    const ends = await Promise.all(running.map((one) => one.end(signal)));
    if (signal !== 'SIGTERM') return;
    for (const [at, end] of ends.entries())
      assert.deepEqual(
        end,
        { code: 0, signal: null },
        `SIGTERM must end the server with code 0 within 20 s; its output ends with:\n${running[at]!.output().slice(-4_000)}`,
      );
  };
  let ready = false;
  stack.defer(() => halt(ready ? 'SIGTERM' : 'SIGKILL'));
  // At once: what a first start makes is made by one of them.
  await Promise.all(members.map((at) => start(at, options.program)));
  const data = members.map(dataOf).find((path) => mayBootstrap(path) !== undefined);
  assert.ok(data, `no server made a first team:\n${servers.map((one) => one.output()).join('')}`);
  const bootstrap = readBootstrap(data);
  const origin = nginx?.origin ?? bootstrap.url.replace(/\/+$/, '');
  ready = true;
  const running = stack.move();
  return {
    ...{ origin, bootstrap, data, start, halt },
    origins: several ? ports.map((port) => `http://127.0.0.1:${port}`) : [origin],
    get settings() {
      return settings;
    },
    server: (at) => servers[at]!,
    runs: (at) => alive.has(servers[at]!),
    output: () => earlier + servers.map((one) => one.output()).join(''),
    async resume(more = {}) {
      settings = { ...settings, ...more };
      await Promise.all(members.map((at) => start(at)));
    },
    traffic: () => nginx?.traffic() ?? [],
    stop: () => running.disposeAsync(),
  };
}

/** What replicas are told of the nginx before them. */
function behind(origin: string): Record<string, string> {
  return {
    GANTRY_PUBLIC_URL: origin,
    GANTRY_TRUSTED_PROXIES: '127.0.0.1',
    // An engine has one owner, and no suite that runs on replicas needs one.
    GANTRY_FUNCTIONS: 'off',
    GANTRY_DRAIN_TIMEOUT: '5s',
  };
}

function mayBootstrap(data: string): Bootstrap | undefined {
  try {
    return readBootstrap(data);
  } catch {
    return undefined;
  }
}
