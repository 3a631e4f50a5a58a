import { RegistryError, refuse } from '../../oci/errors.ts';

/** How long a hold lasts that is not renewed: a backup that was killed stops nothing for longer. */
export const holdMs = 15 * 60_000;
const renewEveryMs = 60_000;

export interface HoldDeps {
  /** Keeps the bytes of collected blobs in the store for `holdMs` from now on. */
  readonly hold: () => Promise<unknown>;
  readonly release: () => Promise<unknown>;
  /** Milliseconds: only differences count. */
  readonly clock?: () => number;
}

/** While it stands, no bytes leave the store that the facts named when it began. */
export class Hold {
  readonly #deps: HoldDeps;
  readonly #clock: () => number;
  readonly #timer: NodeJS.Timeout;
  #until: number;
  #failure: unknown;
  #renewing: Promise<void> | undefined;

  private constructor(deps: HoldDeps, clock: () => number, until: number) {
    this.#deps = deps;
    this.#clock = clock;
    this.#until = until;
    this.#timer = setInterval(() => this.#renew(), renewEveryMs).unref();
  }

  static async take(deps: HoldDeps): Promise<Hold> {
    const clock = deps.clock ?? (() => performance.now());
    const until = clock() + holdMs;
    await deps.hold();
    return new Hold(deps, clock, until);
  }

  /** Throws `unavailable` where it could not be renewed in time. */
  check(): void {
    if (this.#clock() < this.#until) return;
    const { info } = refuse(
      'unavailable',
      'The server could not be asked to keep its blobs for as long as the backup runs.',
      'Run the backup again into the same folder: it goes on.',
    );
    throw new RegistryError(info, { cause: this.#failure });
  }

  /** It ends by itself where this fails. */
  async release(): Promise<void> {
    clearInterval(this.#timer);
    await this.#renewing;
    await this.#deps.release().catch(() => {});
  }

  #renew(): void {
    const until = this.#clock() + holdMs;
    this.#renewing ??= this.#deps
      .hold()
      .then(
        () => {
          this.#until = until;
        },
        (error: unknown) => {
          this.#failure = error;
        },
      )
      .finally(() => {
        this.#renewing = undefined;
      });
  }
}
