/**
 * A Gantry process beside an engine, in the engine's network, and what tests do with it: push, wait for a
 * deployment, ask functions, end it in order or not.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Daemon, startDaemon } from '../../clients/support/daemon.ts';
import type { Image, Index } from '../../clients/support/images.ts';
import { Registry } from '../../clients/support/registry.ts';
import { type Sandbox, systemPath } from '../../clients/support/sandbox.ts';
import { type Bootstrap, readBootstrap } from '../../faults/support/gantry.ts';
import { freePort } from '../../tools/free-ports.ts';
import { quickStartEnv } from '../../tools/start-env.ts';
import { type Answer, type Asked, ask } from './ask.ts';
import type { FunctionEngine } from './engine.ts';
import type { Network } from './network.ts';

const root = join(import.meta.dirname, '..', '..', '..');

export interface FunctionsGantry {
  readonly data: string;
  /** From this machine: `http://<address of the network>:<port>`. */
  readonly origin: string;
  /** From inside, as the engine pulls and `docker push` names it: `127.0.0.1:<port>`. */
  readonly registry: string;
  readonly teamSlug: string;
  readonly teamId: string;
  readonly projectSlug: string;
  readonly token: string;
  readonly pid: number;
  readonly raw: Registry;
  /** `team/project/<name>` of the project that the first start made. */
  repository(name: string): string;
  /** JSON of the API below /api/v1, as the bootstrap token sees it; throws where the status is another. */
  api<T = Record<string, unknown>>(
    method: string,
    path: string,
    body?: unknown,
    status?: number,
  ): Promise<T>;
  /** Pushes as a client would; the `Gantry-Deployment-Url` of the PUT, where it has one. */
  push(repository: string, tag: string, image: Image | Index): Promise<string | undefined>;
  /** Asks a function: `host` is its name, or a URL that a push's answer gave. */
  ask(host: string, path: string, asked?: Omit<Asked, 'host'>): Promise<Answer>;
  /** All that it printed, over all starts. */
  output(): string;
  /** SIGTERM (which must end it with 0) or SIGKILL; the folder stays. */
  halt(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  /** Once it has ended by itself, or was killed by another; the folder stays. */
  ended(): Promise<void>;
  /** On the same folder and port. */
  resume(env?: Readonly<Record<string, string>>): Promise<void>;
  /** `docker login` of the engine's client. */
  logIn(engine: FunctionEngine): Promise<void>;
}

export interface FunctionsGantryOptions {
  readonly sandbox: Sandbox;
  /** Undefined: a machine without an engine. */
  readonly engine: FunctionEngine | undefined;
  readonly network: Network;
  readonly env?: Readonly<Record<string, string>>;
  /** Of its data and log, empty; else one of its own. */
  readonly folder?: string;
}

export async function startFunctionsGantry(
  options: FunctionsGantryOptions,
): Promise<FunctionsGantry> {
  const { sandbox, engine, network } = options;
  const folder = options.folder ?? sandbox.fresh('gantry');
  const data = join(folder, 'data');
  const log = join(folder, 'log');
  let env: Record<string, string> = {
    PATH: systemPath,
    HOME: folder,
    ...quickStartEnv,
    GANTRY_DATA: data,
    GANTRY_HOST: '127.0.0.1',
    GANTRY_PORT: String(await freePort()),
    GANTRY_RATE_LOGIN_FAILURES: '0',
    GANTRY_DOCKER_HOST: engine?.host ?? `unix://${join(folder, 'no-engine.sock')}`,
    ...options.env,
  };
  let daemon: Daemon | undefined;
  let known: Bootstrap | undefined;
  let exits: (() => Promise<number | undefined>) | undefined;

  async function begin(): Promise<void> {
    const line = network.inside(process.execPath, [join(root, 'src', 'main.ts')]);
    const before = safeRead(log).length;
    daemon = await startDaemon({
      ...line,
      env,
      log,
      ready: async () => {
        const found = /^Gantry is ready at (\S+)$/m.exec(safeRead(log).slice(before));
        if (!found) return false;
        known = readBootstrap(data);
        return (await fetch(new URL('/readyz', fromHere(known.url, network)))).ok;
      },
      startMs: 30_000,
      // More than the engine's slowest answer and the drain together.
      stopMs: 60_000,
    });
    const running = daemon;
    exits = async () => (await running.stop()).code;
  }

  async function halt(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const ending = exits;
    if (!ending || !daemon) return;
    if (signal === 'SIGKILL') process.kill(daemon.pid, 'SIGKILL');
    daemon = undefined;
    exits = undefined;
    const code = await ending();
    if (signal === 'SIGTERM') {
      assert.equal(code, 0, `SIGTERM must end the server with 0:\n${safeRead(log).slice(-4_000)}`);
    }
  }

  await begin();
  const first = known!;
  const origin = fromHere(first.url, network);
  const credentials = { username: first.teamId, password: first.token };
  const raw = new Registry(origin, credentials);
  const port = new URL(origin).port;
  return {
    data,
    origin,
    registry: `127.0.0.1:${port}`,
    ...{ teamSlug: first.teamSlug, teamId: first.teamId },
    ...{ projectSlug: first.projectSlug, token: first.token },
    get pid() {
      assert.ok(daemon, 'the server does not run');
      return daemon.pid;
    },
    raw,
    repository: (name) => `${first.teamSlug}/${first.projectSlug}/${name}`,
    async api<T>(method: string, path: string, body?: unknown, status?: number): Promise<T> {
      const answer = await ask(origin, `/api/v1${path}`, {
        method,
        headers: {
          authorization: `Bearer ${first.token}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const fine = status === undefined ? answer.status < 300 : answer.status === status;
      assert.ok(fine, `${method} ${path}: ${answer.status} ${answer.body}`);
      return (answer.body === '' ? undefined : JSON.parse(answer.body)) as T;
    },
    push: (repository, tag, image) => push(raw, repository, tag, image),
    ask(host, path, asked) {
      const name = host.includes('://') ? new URL(host).hostname : host;
      return ask(origin, path, { ...asked, host: name });
    },
    output: () => safeRead(log),
    halt,
    async ended() {
      await daemon?.ended;
      daemon = undefined;
      exits = undefined;
    },
    async resume(more = {}) {
      env = { ...env, ...more };
      await begin();
    },
    async logIn(of) {
      await of.docker(['login', '-u', first.teamId, '--password-stdin', `127.0.0.1:${port}`], {
        input: first.token,
      });
    },
  };
}

/** Children before those that name them; the answer to the tag's PUT is looked at. */
async function push(raw: Registry, repository: string, tag: string, image: Image | Index) {
  const images = image.kind === 'image' ? [image] : image.images;
  for (const one of images) {
    for (const blob of [one.config, ...one.layers]) await raw.pushBlob(repository, blob);
  }
  const manifests = image.kind === 'image' ? [] : images.map((one) => one.manifest);
  let url: string | undefined;
  for (const manifest of [...manifests, image.manifest]) {
    const reference = manifest === image.manifest ? tag : manifest.descriptor.digest;
    const answer = await raw.expect(201, `/v2/${repository}/manifests/${reference}`, {
      method: 'PUT',
      headers: { 'content-type': manifest.descriptor.mediaType },
      body: new Uint8Array(manifest.bytes),
    });
    url = answer.headers.get('gantry-deployment-url') ?? undefined;
  }
  return url;
}

function fromHere(url: string, network: Network): string {
  return `http://${network.address}:${new URL(url).port}`;
}

function safeRead(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
