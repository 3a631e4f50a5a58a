/** An average that forgets: each new value counts for a fifth. */
export class MovingAverage {
  #value: number | undefined;

  add(value: number): void {
    this.#value = this.#value === undefined ? value : this.#value * 0.8 + value * 0.2;
  }

  get value(): number | undefined {
    return this.#value;
  }
}
