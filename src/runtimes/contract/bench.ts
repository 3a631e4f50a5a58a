import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type ImageSource,
  type InstanceSpec,
  type PreparedImage,
  type RuntimeDriver,
  RuntimeError,
  type RuntimeFailure,
  type RuntimeInstance,
} from '../../ports/runtime-driver.ts';

/** What a test image is made of: `/bin/busybox` (also as `/bin/sh`), `/tmp`, and root and 1000 in /etc/passwd. */
export interface TestImage {
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly user?: string;
  readonly workingDir?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly stopSignal?: string;
  readonly volumes?: readonly string[];
  readonly expose?: readonly number[];
  readonly compression?: 'gzip' | 'zstd';
  /** More than one: an index. */
  readonly architectures?: readonly string[];
  /** Bytes of a file that does not compress. */
  readonly extraBytes?: number;
}

/** A place where containers run, for a test to use up. */
export interface Subject {
  /** A driver of that installation; each is another object. */
  open(options: { installation: string; callLimit?: number }): Promise<RuntimeDriver>;
  /** Into a registry that the driver pulls from. Images differ by what they are made of, and by `seed`. */
  push(image: TestImage, seed: string): Promise<ImageSource>;
  /** It answers nothing until `resume`. */
  hang(): Promise<void>;
  resume(): Promise<void>;
  /** Running instances may end. */
  restart(): Promise<void>;
  /** A folder of the machine where it runs. */
  readonly folder: string;
  /** Names of containers and volumes that are there, of whatever origin. */
  leftovers(): Promise<readonly string[]>;
}

/** One sentence of the port, shown. */
export type Case = (bench: Bench) => Promise<void>;
export type Cases = Readonly<Record<string, Case>>;

let counter = 0;

/** What a case works with: an installation of its own, cleaned up after it. */
export class Bench {
  readonly subject: Subject;
  readonly driver: RuntimeDriver;
  readonly installation: string;
  readonly #opened: RuntimeDriver[];

  private constructor(subject: Subject, installation: string, driver: RuntimeDriver) {
    this.subject = subject;
    this.installation = installation;
    this.driver = driver;
    this.#opened = [driver];
  }

  static async open(subject: Subject): Promise<Bench> {
    counter += 1;
    const installation = `contract-${process.pid}-${counter}`;
    return new Bench(subject, installation, await subject.open({ installation }));
  }

  /** Another driver on the same instances. */
  async reopen(
    options: { callLimit?: number; installation?: string } = {},
  ): Promise<RuntimeDriver> {
    const driver = await this.subject.open({ installation: this.installation, ...options });
    this.#opened.push(driver);
    return driver;
  }

  /** Removes what the case made; fails where something is left. */
  async close(): Promise<void> {
    try {
      const left = await this.driver.list();
      await Promise.all(left.map(({ id }) => this.driver.remove(id)));
      assert.deepEqual(await this.driver.list(), [], 'instances that cannot be removed');
      for (const image of await this.driver.images()) await this.driver.removeImage(image.id);
    } finally {
      for (const driver of this.#opened) await driver.close();
    }
  }

  /** Pushed and prepared; the same each time but where `seed` says otherwise. */
  async image(image: TestImage = {}, seed = 'one'): Promise<PreparedImage> {
    return this.driver.prepare(await this.subject.push(image, seed), {});
  }

  spec(image: { readonly id: string }, more: Partial<InstanceSpec> = {}): InstanceSpec {
    counter += 1;
    return {
      instanceId: `ins_${process.pid}_${counter}`,
      labels: {
        installation: this.installation,
        kind: 'function',
        teamId: 'team_1',
        projectId: 'prj_1',
        deploymentId: 'dpl_1',
        service: 'web',
        fingerprint: 'sha256:abc',
        createdAt: 1_700_000_000_000,
      },
      image: image.id,
      command: undefined,
      args: undefined,
      env: {},
      cpus: 1,
      memory: 64 << 20,
      disk: 512 << 20,
      pids: 64,
      gpu: undefined,
      mounts: [],
      network: { projectId: 'prj_1', egress: 'public' },
      files: [],
      hostname: 'web',
      ...more,
    };
  }

  /** Created and started. */
  async run(image: { readonly id: string }, more: Partial<InstanceSpec> = {}) {
    const { id } = await this.driver.create(this.spec(image, more));
    return this.driver.start(id);
  }

  /** One that runs a script of the shell. */
  async script(script: string, more: Partial<InstanceSpec> = {}): Promise<RuntimeInstance> {
    return this.run(await this.image(), { command: ['/bin/sh', '-c', script], ...more });
  }

  /** What a script printed, both streams, until its end. */
  async printed(script: string, more: Partial<InstanceSpec> = {}): Promise<string> {
    const { id } = await this.script(script, more);
    await this.driver.wait(id);
    return this.output(id);
  }

  async output(id: string): Promise<string> {
    const lines: string[] = [];
    for await (const line of this.driver.logs(id, { follow: false })) lines.push(line.text);
    return lines.join('\n');
  }

  /** Waits until the instance has printed it: the sign that it is ready. */
  async prints(id: string, text: string): Promise<void> {
    const signal = AbortSignal.timeout(10_000);
    for await (const line of this.driver.logs(id, { follow: true, signal })) {
      if (line.text.includes(text)) return;
    }
    throw new Error(`the instance did not print ${text}: ${await this.output(id)}`);
  }

  /** Standard output of a command in an instance, which has to end with 0. */
  async inside(id: string, ...command: string[]): Promise<string> {
    const exec = await this.driver.exec(id, { command });
    const output = await collect(exec.output);
    assert.equal(await exec.exit, 0, output);
    return output;
  }
}

/** `busybox <applet>` */
export function busybox(...applet: string[]): string[] {
  return ['/bin/busybox', ...applet];
}

/** Answers HTTP on the port, whatever is asked. */
export function listenOn(port: number, address = '0.0.0.0'): string {
  return `/bin/busybox httpd -f -h /tmp -p ${address}:${port}`;
}

export async function collect(
  output: AsyncIterable<{ readonly stream: string; readonly bytes: Buffer }>,
  only?: 'stdout' | 'stderr',
): Promise<string> {
  const parts: Buffer[] = [];
  for await (const { stream, bytes } of output) if (!only || stream === only) parts.push(bytes);
  return Buffer.concat(parts).toString();
}

export async function refuses(work: Promise<unknown>, failure: RuntimeFailure): Promise<string> {
  const outcome = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  assert.ok(outcome instanceof RuntimeError, `${failure} was expected, and not ${String(outcome)}`);
  assert.equal(outcome.failure, failure, outcome.message);
  return outcome.message;
}

/** Asks until it holds, for at most ten seconds. */
export async function until<Value>(
  ask: () => Promise<Value | undefined | false>,
  what: string,
): Promise<Value> {
  const deadline = performance.now() + 10_000;
  for (;;) {
    const value = await ask();
    if (value) return value;
    if (performance.now() > deadline) throw new Error(`in vain: ${what}`);
    await delay(20);
  }
}
