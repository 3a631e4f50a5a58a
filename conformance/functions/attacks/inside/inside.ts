import assert from 'node:assert/strict';
import type {
  InstanceSpec,
  RuntimeEvent,
  RuntimeInstance,
} from '../../../../src/ports/runtime-driver.ts';
import type { DockerDriver } from '../../../../src/runtimes/docker/driver.ts';
import {
  type DockerDriverOptions,
  openDockerDriver,
} from '../../../../src/runtimes/docker/open-docker.ts';
import { type Answer, type Asked, ask } from '../../support/ask.ts';
import { until } from '../../support/until.ts';
import { type AttackPlace, serverImage } from '../bench.ts';

export const installation = 'attacked';
export const MB = 2 ** 20;

/** A driver with all that keeps instances in, and what attacks begin with it. */
export class Inside {
  readonly place: AttackPlace;
  readonly told: string[] = [];
  #driver: Promise<DockerDriver> | undefined;

  constructor(place: AttackPlace) {
    this.place = place;
  }

  /** Guarded; one for all attacks. */
  driver(): Promise<DockerDriver> {
    this.#driver ??= this.open({});
    return this.#driver;
  }

  async open(options: Partial<DockerDriverOptions>): Promise<DockerDriver> {
    const opened = await openDockerDriver({
      ...{ dockerHost: this.place.host, env: {}, installation, pullAddress: () => 'none' },
      bucketFolder: `${this.place.folder}/${options.installation ?? 'buckets'}`,
      dns: [this.place.outside],
      isolation: {
        ...{ reach: [], publicUrls: [], privateRanges: [], diskCheck: 2_000 },
        tell: (message) => this.told.push(message),
      },
      ...options,
    });
    if ('missing' in opened) throw new Error(opened.missing);
    return opened.driver;
  }

  scope(): Scope {
    return new Scope(this);
  }

  async close(): Promise<void> {
    await (await this.#driver)?.close();
  }
}

let instances = 0;

/** One attack: what it makes is gone with it. */
export class Scope implements AsyncDisposable {
  readonly inside: Inside;
  readonly #stack = new AsyncDisposableStack();

  constructor(inside: Inside) {
    this.inside = inside;
  }

  defer(end: () => unknown): void {
    this.#stack.defer(async () => {
      await end();
    });
  }

  spec(project: string, more: Partial<InstanceSpec> = {}): InstanceSpec {
    const instanceId = `ins_${project}_${++instances}`;
    return {
      instanceId,
      labels: {
        ...{ installation, kind: 'function', teamId: 'team_a', projectId: project },
        ...{ deploymentId: 'dpl_a', service: 'attacker', fingerprint: 'none', createdAt: 0 },
      },
      ...{ image: serverImage, command: undefined, args: undefined, env: { PORT: '80' } },
      ...{ cpus: 0.5, memory: 128 * MB, disk: 512 * MB, pids: 128, gpu: undefined, mounts: [] },
      ...{ network: { projectId: project, egress: 'public' }, files: [], hostname: 'attacker' },
      ...more,
    };
  }

  async create(project: string, more: Partial<InstanceSpec> = {}): Promise<RuntimeInstance> {
    const driver = await this.inside.driver();
    const made = await driver.create(this.spec(project, more));
    this.defer(() => driver.remove(made.id));
    return made;
  }

  /** Started, and listening. */
  async run(project: string, more: Partial<InstanceSpec> = {}): Promise<Running> {
    const driver = await this.inside.driver();
    const { id } = await this.create(project, more);
    const { address, instanceId } = await driver.start(id);
    assert.ok(address);
    const running = new Running(id, instanceId, address);
    await until(
      () => running.ask('/state').then((answer) => answer.status === 200 || undefined),
      'it listens',
    );
    return running;
  }

  /** What the driver tells from now on. */
  async events(): Promise<RuntimeEvent[]> {
    const driver = await this.inside.driver();
    const abort = new AbortController();
    const seen: RuntimeEvent[] = [];
    const reading = (async () => {
      for await (const event of driver.events(abort.signal)) seen.push(event);
    })();
    this.defer(async () => {
      abort.abort();
      await reading;
    });
    return seen;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

export class Running {
  readonly id: string;
  readonly instanceId: string;
  readonly address: string;

  constructor(id: string, instanceId: string, address: string) {
    this.id = id;
    this.instanceId = instanceId;
    this.address = address;
  }

  ask(path: string, asked?: Asked): Promise<Answer> {
    return ask(`http://${this.address}:80`, path, { timeoutMs: 20_000, ...asked });
  }

  /** Whether it makes a TCP connection. */
  async reaches(to: string): Promise<boolean> {
    const { status, body } = await this.ask(`/connect?to=${encodeURIComponent(to)}&timeout=1200`);
    assert.equal(status, 200, body);
    return JSON.parse(body).connected;
  }

  /** Since when it runs: another time is another process. */
  async started(): Promise<number> {
    return JSON.parse((await this.ask('/state')).body).started;
  }
}
