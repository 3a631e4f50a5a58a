/** Times what it took that a result serves: about a twentieth of the time goes into it at most. */
const keptFor = 20;
/** Rows; what looks at fewer is done again each time. */
const few = 5_000;

export interface Reading<T> {
  readonly value: T;
  /** Looked at. */
  readonly rows: number;
}

/**
 * A reading that takes the longer the more rows there are. Of many, one serves all who ask while it runs, and for
 * twenty times as long as it took.
 */
export class Kept<T> {
  readonly #read: () => Promise<Reading<T>>;
  readonly #now: () => number;
  #reading: Promise<T> | undefined;
  #last: { readonly value: T; readonly until: number } | undefined;

  /** `now`: milliseconds of a clock that only goes forward. */
  constructor(read: () => Promise<Reading<T>>, now: () => number = () => performance.now()) {
    this.#read = read;
    this.#now = now;
  }

  get(): Promise<T> {
    if (this.#last && this.#now() < this.#last.until) return Promise.resolve(this.#last.value);
    if (this.#reading) return this.#reading;
    const reading: Promise<T> = this.#readAgain(() => this.#reading === reading).finally(() => {
      if (this.#reading === reading) this.#reading = undefined;
    });
    this.#reading = reading;
    return reading;
  }

  /** What was read is known to be otherwise now. */
  forget(): void {
    this.#reading = undefined;
    this.#last = undefined;
  }

  async #readAgain(isWanted: () => boolean): Promise<T> {
    const begun = this.#now();
    this.#last = undefined;
    const { value, rows } = await this.#read();
    const took = this.#now() - begun;
    if (rows > few && isWanted()) this.#last = { value, until: this.#now() + took * keptFor };
    return value;
  }
}
