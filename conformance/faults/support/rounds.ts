import { setTimeout as delay } from 'node:timers/promises';
import { basic } from '../../spec/client.ts';
import { Asker, Gone } from './asking.ts';
import { type AtRest, countUnfinished, inspectAtRest } from './at-rest.ts';
import { type Bootstrap, type Launched, launch, readBootstrap } from './gantry.ts';
import { each, inspectServed } from './inspect.ts';
import type { Random } from './random.ts';
import { resume } from './uploads.ts';
import { doSomething } from './workload.ts';
import { World } from './world.ts';

const clients = 8;
/** A connection is cut a little before the end of the process is known. */
const endMs = 500;

export interface RigOptions {
  readonly data: string;
  readonly random: Random;
  readonly expiryMs: number;
  readonly env?: Readonly<Record<string, string>>;
}

/** A server, clients that work on it, and what they know; the server is crashed and started again. */
export class Rig {
  readonly data: string;
  readonly world: World;
  readonly bootstrap: Bootstrap;
  readonly #random: Random;
  readonly #expiryMs: number;
  readonly #env: Readonly<Record<string, string>>;
  #server: Launched | undefined;
  #asker: Asker | undefined;
  /** Requests that were answered. */
  answered = 0;

  private constructor(options: RigOptions, bootstrap: Bootstrap) {
    this.data = options.data;
    this.#random = options.random;
    this.#expiryMs = options.expiryMs;
    this.#env = settingsOf(options);
    this.bootstrap = bootstrap;
    this.world = new World(`${bootstrap.teamSlug}/${bootstrap.projectSlug}`);
  }

  /** Starts once, so that the folder has a team and a token, and ends that server. */
  static async prepare(options: RigOptions): Promise<Rig> {
    const first = launch({ data: options.data, env: settingsOf(options) });
    await first.ready;
    const bootstrap = readBootstrap(options.data);
    await first.end('SIGTERM');
    return new Rig(options, bootstrap);
  }

  get server(): Launched {
    if (!this.#server) throw new Error('no server runs');
    return this.#server;
  }

  /** Spawns the server; it need not get ready. */
  launch(env: Readonly<Record<string, string>> = {}): Launched {
    this.#server = launch({ data: this.data, env: { ...this.#env, ...env } });
    return this.#server;
  }

  /** Waits until it is ready, compares what it serves with what is known, goes on with uploads. */
  async inspect(): Promise<string[]> {
    const asker = await this.#connect();
    const ended = () => this.server.endsWithin(endMs);
    const problems = await inspectServed(asker, this.world, this.#random, ended);
    const unfinished = [...this.world.sessions].filter(
      ({ unanswered }) => unanswered !== undefined || this.#random.chance(0.3),
    );
    await each(unfinished, async (session) => {
      try {
        await resume(asker, this.world, session, this.#expiryMs, this.#random);
      } catch (error) {
        if (error instanceof Gone && (await ended())) throw error;
        this.world.sessions.delete(session);
        problems.push((error as Error).message);
      }
    });
    return problems;
  }

  /** Clients work until the server is gone; `crash` is what makes it go. One sentence for each wrong answer. */
  async work(crash: () => Promise<void>): Promise<string[]> {
    const asker = await this.#connect();
    const { server } = this;
    const problems: string[] = [];
    let gone = false;
    const client = async (random: Random): Promise<void> => {
      while (!gone) {
        try {
          await doSomething(asker, this.world, random);
          this.answered++;
        } catch (error) {
          if (error instanceof Gone && (await server.endsWithin(endMs))) return;
          problems.push((error as Error).message);
        }
      }
    };
    const busy = Array.from({ length: clients }, (_, at) =>
      client(this.#random.fork(`client-${at}-${this.answered}`)),
    );
    await crash();
    gone = true;
    await Promise.all(busy);
    return problems;
  }

  /** With SIGKILL, where it still runs. */
  async kill(): Promise<void> {
    await this.server.end('SIGKILL');
    this.#disconnect();
  }

  /** By SIGTERM: it must end well. One sentence where it did not. */
  async stop(): Promise<string[]> {
    const { code, signal } = await this.server.end('SIGTERM');
    this.#disconnect();
    return code === 0 ? [] : [`SIGTERM ended the server with ${signal ?? code}`];
  }

  async #connect(): Promise<Asker> {
    const origin = await this.server.ready;
    const { teamId, token } = this.bootstrap;
    this.#asker ??= new Asker(origin, basic(teamId, token));
    return this.#asker;
  }

  #disconnect(): void {
    this.#asker?.close();
    this.#asker = undefined;
    this.#server = undefined;
  }
}

/**
 * Runs the server until it has swept all that nobody goes on with, and gives what the folder is like then;
 * gives up after `withinMs`.
 */
export async function sweepAll(rig: Rig, expiryMs: number, withinMs: number): Promise<AtRest> {
  // What is swept is what has expired: time is all that can be waited for.
  await delay(expiryMs);
  const deadline = Date.now() + withinMs;
  rig.launch();
  await rig.server.ready;
  while (countUnfinished(rig.data) > 0 && Date.now() < deadline) await delay(100);
  await rig.stop();
  return inspectAtRest(rig.data);
}

function settingsOf({ expiryMs, env }: RigOptions): Record<string, string> {
  return { GANTRY_UPLOAD_EXPIRY: `${expiryMs}ms`, GANTRY_LOG_LEVEL: 'warn', ...env };
}
