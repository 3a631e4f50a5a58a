/** One server with several workers, and connections to each of them. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type Bootstrap,
  type Launched,
  launch,
  readBootstrap,
} from '../../faults/support/gantry.ts';
import { basic, Registry } from '../../spec/client.ts';
import { freePort } from '../../tools/free-ports.ts';

/** A client whose one connection stays with the worker that took it. */
export interface AtWorker {
  readonly registry: Registry;
  /** What all request ids of that process begin with. */
  readonly process: string;
}

export class World {
  readonly data: string;
  readonly #folder: string;
  #env: Readonly<Record<string, string>>;
  readonly #agents: Agent[] = [];
  #server: Launched | undefined;
  #bootstrap: Bootstrap | undefined;

  private constructor(folder: string, env: Readonly<Record<string, string>>) {
    this.#folder = folder;
    this.data = join(folder, 'data');
    this.#env = env;
  }

  static async start(env: Readonly<Record<string, string>> = {}): Promise<World> {
    const world = new World(await mkdtemp(join(tmpdir(), 'gantry-workers-')), {
      ...{ GANTRY_WORKERS: '2', GANTRY_FUNCTIONS: 'off', GANTRY_RATE_LOGIN_FAILURES: '0' },
      ...{ GANTRY_DRAIN_TIMEOUT: '5s', GANTRY_PORT: String(await freePort()) },
      ...env,
    });
    await world.begin();
    return world;
  }

  /** Starts, or starts again at the same address; `more` for this start. */
  async begin(more: Readonly<Record<string, string>> = {}): Promise<void> {
    this.#server = launch({ data: this.data, env: { ...this.#env, ...more } });
    await this.#server.ready;
    this.#bootstrap = readBootstrap(this.data);
  }

  get server(): Launched {
    return this.#server!;
  }

  get bootstrap(): Bootstrap {
    return this.#bootstrap!;
  }

  get origin(): string {
    return this.bootstrap.url;
  }

  get project(): string {
    return `${this.bootstrap.teamSlug}/${this.bootstrap.projectSlug}`;
  }

  get authorization(): string {
    return basic(this.bootstrap.teamId, this.bootstrap.token);
  }

  /** New connections, which any worker takes. Requests that get no answer fail. */
  registry(authorization = this.authorization): Registry {
    return new Registry(this.origin, authorization, this.#agent({ keepAlive: false }));
  }

  /** One client at each of `count` workers, once so many answer. */
  async each(count = 2, authorization = this.authorization): Promise<AtWorker[]> {
    const found = new Map<string, AtWorker>();
    const deadline = performance.now() + 20_000;
    while (found.size < count) {
      assert.ok(performance.now() < deadline, `connections reached ${found.size} of ${count}`);
      const agent = this.#agent({ keepAlive: true, maxSockets: 1 });
      const registry = new Registry(this.origin, authorization, agent);
      const process = await processOf(registry).catch(() => undefined);
      if (process !== undefined && !found.has(process)) {
        found.set(process, { registry, process });
        continue;
      }
      agent.destroy();
      await delay(10);
    }
    return [...found.values()];
  }

  api(method: string, path: string, body?: object, headers: Record<string, string> = {}) {
    return fetch(`${this.origin}/api/v1${path}`, {
      method,
      headers: {
        authorization: this.authorization,
        'content-type': 'application/json',
        ...headers,
      },
      ...(body && { body: JSON.stringify(body) }),
    });
  }

  /** Process ids of the workers that live. */
  workers(): number[] {
    const { pid } = this.server;
    return childrenOf(pid).filter((child) => commandOf(child).includes('/src/worker.ts'));
  }

  /** Resolves once there are so many. */
  async untilWorkers(count: number, withinMs = 10_000): Promise<void> {
    const deadline = performance.now() + withinMs;
    while (this.workers().length !== count) {
      assert.ok(performance.now() < deadline, `${this.workers().length} workers, not ${count}`);
      await delay(20);
    }
  }

  async stop(): Promise<void> {
    for (const agent of this.#agents) agent.destroy();
    try {
      const exit = await this.server.end('SIGTERM');
      assert.ok(exit.signal === 'SIGKILL' || exit.code === 0, this.server.output().slice(-2000));
    } finally {
      await rm(this.#folder, { recursive: true, force: true });
    }
  }

  #agent(options: { keepAlive: boolean; maxSockets?: number }): Agent {
    const agent = new Agent({ ...options, timeout: 15_000 });
    this.#agents.push(agent);
    return agent;
  }
}

/** Which process answers on a client's connection. */
async function processOf(registry: Registry): Promise<string | undefined> {
  return (await registry.get('/v2/')).header('x-request-id')?.split('-')[0];
}

export function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // One that has ended, and that nobody has waited for, is there still.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** Of all processes: the kernel's own list of children leaves some out while others end. */
function childrenOf(parent: number): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((pid) => parentOf(pid) === parent);
}

function parentOf(pid: number): number | undefined {
  try {
    // After the command's name in parentheses, which may hold anything: state and parent.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return undefined;
  }
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
