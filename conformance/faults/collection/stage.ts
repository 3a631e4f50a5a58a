/**
 * Forces interleavings: each actor (a request, a collection) stops before every gated call of a port and goes on when
 * it is its turn, so that an order is chosen, not met by luck. `explore` plays every order there is.
 */
import { AsyncLocalStorage } from 'node:async_hooks';

/** One run of actors beside each other, and what must hold afterwards. */
export interface Trial {
  readonly actors: Readonly<Record<string, () => Promise<void>>>;
  /** Gated calls as they came: `actor:call`. */
  verify(trace: readonly string[]): Promise<void>;
}

interface Actor {
  readonly name: string;
  /** What it waits before. */
  at: string | undefined;
  go: () => void;
  moved: () => void;
  done: boolean;
}

export class Stage {
  readonly #current = new AsyncLocalStorage<Actor>();
  #actors: Actor[] = [];
  #gates: ReadonlySet<string> = new Set();

  /** Runs `work` as the actor of that name, where one is on the stage. */
  as<T>(name: string | undefined, work: () => T): T {
    const actor = this.#actors.find((one) => one.name === name && !one.done);
    return actor ? this.#current.run(actor, work) : work();
  }

  /** Called before each call of a port. */
  async pass(call: string): Promise<void> {
    const actor = this.#current.getStore();
    if (!actor || actor.done || !this.#gates.has(call)) return;
    if (actor.at) throw new Error(`${actor.name} is at ${actor.at} and at ${call} at once`);
    await new Promise<void>((go) => {
      actor.at = call;
      actor.go = go;
      actor.moved();
    });
  }

  /** Plays the order that `choices` name (the first actor where they end). `widths`: how many could go at each turn. */
  async play(trial: Trial, gates: ReadonlySet<string>, choices: readonly number[]) {
    this.#gates = gates;
    this.#actors = Object.keys(trial.actors).map((name) => ({
      ...{ name, at: undefined, go: () => {}, moved: () => {}, done: false },
    }));
    const failures: unknown[] = [];
    for (const actor of this.#actors) {
      await this.#step(actor, () => {
        this.#current.run(actor, () => {
          trial.actors[actor.name]!()
            .catch((error: unknown) => failures.push(error))
            .finally(() => {
              actor.done = true;
              actor.moved();
            });
        });
      });
    }
    const trace: string[] = [];
    const widths: number[] = [];
    for (;;) {
      const waiting = this.#actors.filter((actor) => !actor.done);
      if (waiting.length === 0) break;
      const chosen = choices[widths.length] ?? 0;
      // Where a run of the same order took another way, as with ids that sort otherwise.
      const actor = waiting[Math.min(chosen, waiting.length - 1)]!;
      widths.push(waiting.length);
      trace.push(`${actor.name}:${actor.at}`);
      const { go } = actor;
      actor.at = undefined;
      await this.#step(actor, go);
    }
    this.#actors = [];
    return { trace, widths, failures };
  }

  /** Until it stops before its next gated call, or has ended. */
  #step(actor: Actor, begin: () => void): Promise<void> {
    return new Promise<void>((moved) => {
      actor.moved = moved;
      begin();
    });
  }
}

/** How many orders were played. Rejects at the first that ends wrong, with its order. */
export async function explore(
  stage: Stage,
  gates: readonly string[],
  make: () => Promise<Trial>,
): Promise<number> {
  let choices: number[] = [];
  for (let played = 1; ; played++) {
    const trial = await make();
    const { trace, widths, failures } = await stage.play(trial, new Set(gates), choices);
    try {
      if (failures.length > 0) throw failures[0];
      await trial.verify(trace);
    } catch (error) {
      throw new Error(`${(error as Error).message}\nin this order: ${trace.join(' ')}`, {
        cause: error,
      });
    }
    const path = widths.map((width, turn) => Math.min(choices[turn] ?? 0, width - 1));
    let turn = path.length - 1;
    while (turn >= 0 && path[turn]! + 1 >= widths[turn]!) turn--;
    if (turn < 0) return played;
    choices = [...path.slice(0, turn), path[turn]! + 1];
  }
}
