/**
 * A Docker engine with bridges and packet filter rules, in a network of its own (network.ts), which tests
 * restart, hang and end as they like.
 */
import { existsSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { type Daemon, startDaemon } from '../../clients/support/daemon.ts';
import {
  type DockerRelease,
  docker20,
  docker29,
  usePlugin,
} from '../../clients/support/docker-engine.ts';
import { must, type RunOptions, type RunResult, run } from '../../clients/support/run.ts';
import { type Sandbox, systemPath } from '../../clients/support/sandbox.ts';
import { firstObstacle } from '../../clients/support/suite.ts';
import { makeNetwork, type Network, needsNetwork } from './network.ts';
import { standStill } from './stand-still.ts';

export { type DockerRelease, docker20, docker29 };

/** Both engines that functions are shown on. */
export const releases: readonly DockerRelease[] = [docker29, docker20];

/** Why it cannot run here: the reason of a skip, which is counted. */
export function engineObstacle(release: DockerRelease): string | undefined {
  return firstObstacle(release.obstacle(), needsNetwork());
}

export interface FunctionEngine {
  readonly release: DockerRelease;
  readonly network: Network;
  /** As GANTRY_DOCKER_HOST takes it. */
  readonly host: string;
  readonly socket: string;
  /** Environment of the client; DOCKER_CONFIG is the sandbox's. */
  readonly env: Readonly<Record<string, string>>;
  /** `docker <args>`: standard output; throws where it fails. */
  docker(args: readonly string[], options?: Partial<RunOptions>): Promise<string>;
  /** The same, however it ends. */
  attempt(args: readonly string[], options?: Partial<RunOptions>): Promise<RunResult>;
  /** The engine's API without any client; the body's JSON. Throws where the status is not 2xx. */
  api<T>(method: string, path: string, body?: unknown): Promise<T>;
  /** What tests must not leave behind. */
  leftovers(): Promise<Leftovers>;
  /** Containers end with it; `SIGKILL`: they stay, as the engine's shims do. */
  restart(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  /** Ends it, for `begin` to start again. */
  halt(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  begin(): Promise<void>;
  /** Once this resolves it answers nothing any more, until `resume`. */
  hang(): Promise<void>;
  resume(): void;
  /** Last part of its log. */
  log(): string;
  /** With containers, networks and mounts. */
  stop(): Promise<void>;
}

export interface Leftovers {
  /** `name (state)`, of containers. */
  readonly containers: readonly string[];
  /** Beside the three that every engine has. */
  readonly networks: readonly string[];
  readonly volumes: readonly string[];
}

export interface EngineOptions {
  /** More of dockerd's arguments. */
  readonly args?: readonly string[];
  /** Made before it starts, and removed after it; else one of its own. */
  readonly network?: Network;
  /** Where its data lies; else in the sandbox. */
  readonly dataRoot?: string;
  /** The command line that runs dockerd's. */
  readonly within?: (
    program: string,
    args: readonly string[],
  ) => { program: string; args: readonly string[] };
  /** SIGTERM unless given. */
  readonly endsBy?: 'SIGKILL';
}

export async function startFunctionEngine(
  release: DockerRelease,
  sandbox: Sandbox,
  options: EngineOptions = {},
): Promise<FunctionEngine> {
  await using stack = new AsyncDisposableStack();
  const network = options.network ?? (await makeNetwork());
  stack.defer(() => network.remove());
  const folder = sandbox.fresh('engine');
  const socket = join(folder, 'docker.sock');
  const host = `unix://${socket}`;
  const pidFile = join(folder, 'pid');
  const dockerdArgs = [
    ...['--data-root', options.dataRoot ?? join(folder, 'data')],
    ...['--exec-root', join(folder, 'exec')],
    ...['-H', host, '--pidfile', pidFile],
    ...['--insecure-registry', '127.0.0.0/8', '--insecure-registry', '10.254.0.0/16'],
    ...['--bip', '10.201.0.1/24', '--default-address-pool', 'base=10.202.0.0/16,size=24'],
    ...(options.args ?? []),
  ];
  const line = options.within?.(release.engine(), dockerdArgs) ?? {
    program: release.engine(),
    args: dockerdArgs,
  };
  const dockerd = network.inside(line.program, line.args);
  const log = join(folder, 'log');
  let daemon: Daemon | undefined;

  async function begin(): Promise<void> {
    daemon = await startDaemon({
      ...dockerd,
      env: { ...sandbox.env, PATH: [...release.path(), systemPath].join(':') },
      log,
      ready: () => existsSync(socket) && answers(socket),
      startMs: 60_000,
    });
  }

  async function halt(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const ending = daemon;
    daemon = undefined;
    if (!ending) return;
    process.kill(ending.pid, 'SIGCONT');
    if (signal === 'SIGKILL') process.kill(ending.pid, 'SIGKILL');
    await ending.stop();
    // A killed one leaves these: its successor would wait for a containerd that the kernel ended with it.
    const containerd = join(folder, 'exec', 'containerd');
    for (const name of ['containerd.pid', 'containerd.sock', 'containerd.sock.ttrpc']) {
      rmSync(join(containerd, name), { force: true });
    }
    for (const file of [pidFile, socket]) rmSync(file, { force: true });
  }

  await begin();
  stack.defer(() => halt(options.endsBy));
  const env = { ...sandbox.env, ...release.env, DOCKER_HOST: host };
  if (release.buildx) usePlugin(sandbox.env.DOCKER_CONFIG!, release.buildx());
  const client = release.client();
  const api = <T>(method: string, path: string, body?: unknown) =>
    ask<T>(socket, method, path, body);

  async function leftovers(): Promise<Leftovers> {
    const [containers, networks, volumes] = await Promise.all([
      api<{ Names: string[]; State: string }[]>('GET', '/containers/json?all=1'),
      api<{ Name: string }[]>('GET', '/networks'),
      api<{ Volumes: { Name: string }[] | null }>('GET', '/volumes'),
    ]);
    return {
      containers: containers.map(({ Names, State }) => `${Names[0]} (${State})`).sort(),
      networks: networks
        .map(({ Name }) => Name)
        .filter((name) => !['bridge', 'host', 'none'].includes(name))
        .sort(),
      volumes: (volumes.Volumes ?? []).map(({ Name }) => Name).sort(),
    };
  }

  stack.defer(async () => {
    if (!daemon) return;
    process.kill(daemon.pid, 'SIGCONT');
    // Else its own end waits for each to heed SIGTERM.
    const left = await api<{ Id: string }[]>('GET', '/containers/json?all=1').catch(() => []);
    await Promise.all(
      left.map(({ Id }) => api('DELETE', `/containers/${Id}?force=1&v=1`).catch(() => {})),
    );
  });
  const running = stack.move();
  return {
    release,
    network,
    host,
    socket,
    env,
    docker: (args, more) => must(client, args, { env, ...more }),
    attempt: (args, more) => run(client, args, { env, ...more }),
    api,
    leftovers,
    async restart(signal) {
      await halt(signal);
      await begin();
    },
    halt,
    begin,
    hang: () => standStill(daemon!.pid),
    resume: () => process.kill(daemon!.pid, 'SIGCONT'),
    log: () => daemon?.tail() ?? '',
    stop: () => running.disposeAsync(),
  };
}

function ask<T>(socketPath: string, method: string, path: string, body?: unknown): Promise<T> {
  const text = body === undefined ? '' : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const headers = {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(text),
    };
    const sent = request({ socketPath, method, path, headers, timeout: 60_000 }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (bytes: Buffer) => parts.push(bytes));
      response.on('error', reject);
      response.on('end', () => {
        const answer = Buffer.concat(parts).toString();
        const status = response.statusCode ?? 0;
        if (status >= 300 && status !== 304) {
          return reject(new Error(`${method} ${path}: ${status} ${answer}`));
        }
        const json = /json/.test(response.headers['content-type'] ?? '') && answer !== '';
        resolve((json ? JSON.parse(answer) : answer) as T);
      });
    });
    sent.on('timeout', () => sent.destroy(new Error(`${method} ${path}: no answer`)));
    sent.on('error', reject);
    sent.end(text);
  });
}

async function answers(socket: string): Promise<boolean> {
  return ask(socket, 'GET', '/_ping').then(
    () => true,
    () => false,
  );
}
