import { ConcurrencyWindow } from '../concurrency-window.ts';
import { decideScale, type PanicState, type ScaleSettings } from '../decide-scale.ts';

/** How many instances requests are spread over: the windows of one service and what was decided on them. */
export class ServiceScaler {
  readonly #settings: ScaleSettings;
  readonly #window: ConcurrencyWindow;
  #panicking: PanicState | undefined;
  #desired = 1;

  constructor(now: number, settings: ScaleSettings) {
    this.#settings = settings;
    this.#window = new ConcurrencyWindow(now, settings);
  }

  get desired(): number {
    return this.#desired;
  }

  demand(now: number, requests: number): void {
    this.#window.set(now, requests);
  }

  tick(
    now: number,
    facts: { ready: number; concurrency: number; min: number; max: number },
  ): number {
    const { stable, panic } = this.#window.tick(now);
    const input = { now, stable, panic, ...facts, panicking: this.#panicking };
    const decision = decideScale(input, this.#settings);
    this.#panicking = decision.panicking;
    this.#desired = decision.desired;
    return decision.desired;
  }
}
