/** A Docker engine of a test's own, apart from any other on the machine. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { request } from 'node:http';
import { dirname, join } from 'node:path';
import { startDaemon } from './daemon.ts';
import { must, type RunOptions, type RunResult, run } from './run.ts';
import { type Sandbox, systemPath } from './sandbox.ts';
import { firstObstacle, needsPrograms, needsRoot, program } from './suite.ts';

export interface DockerRelease {
  readonly name: string;
  readonly obstacle: () => string | undefined;
  /** The client's path. */
  readonly client: () => string;
  readonly engine: () => string;
  /** Folders with the programs that the engine starts, before the system's. */
  readonly path: () => readonly string[];
  /** Also has to be a plugin of the client. */
  readonly buildx?: () => string;
  /** Settings of the client, such as which builder it takes. */
  readonly env: Readonly<Record<string, string>>;
}

/** Debian's docker.io: no zstd, images kept by config digest, the builder before BuildKit. */
export const docker20: DockerRelease = {
  name: 'docker 20.10',
  obstacle: () =>
    firstObstacle(
      needsRoot(),
      needsVersion('/usr/bin/docker', '20.10'),
      needsVersion('/usr/sbin/dockerd', '20.10'),
    ),
  client: () => '/usr/bin/docker',
  engine: () => '/usr/sbin/dockerd',
  path: () => ['/usr/sbin', '/usr/bin'],
  env: { DOCKER_BUILDKIT: '0' },
};

/** The engine of Docker 29: containerd's image store, zstd, BuildKit. */
export const docker29: DockerRelease = {
  name: 'docker 29',
  obstacle: () =>
    firstObstacle(
      needsRoot(),
      needsPrograms('docker', 'dockerd', 'containerd', 'containerd-shim-runc-v2', 'runc', 'buildx'),
    ),
  client: () => program('docker'),
  engine: () => program('dockerd'),
  path: () => ['containerd', 'runc'].map((name) => dirname(program(name))),
  buildx: () => program('buildx'),
  env: {},
};

export interface DockerEngine {
  readonly release: DockerRelease;
  /** Environment of the client; DOCKER_CONFIG is the sandbox's. */
  readonly env: Readonly<Record<string, string>>;
  /** `docker <args>`: standard output; throws where it fails. */
  docker(args: readonly string[], options?: Partial<RunOptions>): Promise<string>;
  /** The same, however it ends. */
  attempt(args: readonly string[], options?: Partial<RunOptions>): Promise<RunResult>;
  stop(): Promise<void>;
}

export async function startEngine(release: DockerRelease, sandbox: Sandbox): Promise<DockerEngine> {
  const folder = sandbox.fresh('engine');
  const socket = join(folder, 'docker.sock');
  const path = [...release.path(), systemPath].join(':');
  const daemon = await startDaemon({
    program: release.engine(),
    args: [
      ...['--data-root', join(folder, 'data'), '--exec-root', join(folder, 'exec')],
      ...['-H', `unix://${socket}`, '--pidfile', join(folder, 'pid')],
      // No test needs a network in a container, and the machine's rules stay as they are.
      ...['--bridge=none', '--iptables=false', '--ip6tables=false'],
      ...['--insecure-registry', '127.0.0.0/8'],
    ],
    env: { ...sandbox.env, PATH: path },
    log: join(folder, 'log'),
    ready: () => existsSync(socket) && ping(socket),
    startMs: 60_000,
  });
  const env = { ...sandbox.env, ...release.env, DOCKER_HOST: `unix://${socket}` };
  if (release.buildx) usePlugin(sandbox.env.DOCKER_CONFIG!, release.buildx());
  const client = release.client();
  return {
    release,
    env,
    docker: (args, options) => must(client, args, { env, ...options }),
    attempt: (args, options) => run(client, args, { env, ...options }),
    async stop() {
      await daemon.stop();
    },
  };
}

/** Makes buildx a plugin of the client whose settings are in that folder. */
export function usePlugin(config: string, buildx: string): void {
  const plugins = join(config, 'cli-plugins');
  mkdirSync(plugins, { recursive: true });
  symlinkSync(buildx, join(plugins, 'docker-buildx'));
}

function ping(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    request({ socketPath, path: '/_ping' }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    })
      .on('error', () => resolve(false))
      .end();
  });
}

function needsVersion(path: string, version: string): string | undefined {
  if (!existsSync(path)) return `${path} is not installed`;
  const found = spawnSync(path, ['--version'], { encoding: 'utf8' }).stdout.trim();
  return found.includes(` ${version}.`) ? undefined : `${path} is ${found}, not ${version}`;
}
