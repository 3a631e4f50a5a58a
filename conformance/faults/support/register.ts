/**
 * What is known of one value that requests change, some of them at once, some of them never answered:
 * which values it may have now.
 */
export interface Change<V> {
  /** What the request makes of it; undefined: removes it. */
  readonly value: V | undefined;
  readonly began: number;
  /** When the answer came; undefined: never, so it may have happened or not. */
  ended: number | undefined;
}

let now = 0;
/** A moment, later than all before it. */
export function moment(): number {
  return ++now;
}

export class Register<V> {
  #changes: Change<V>[] = [];

  constructor(value?: V) {
    this.settle(value);
  }

  begin(value: V | undefined): Change<V> {
    const change: Change<V> = { value, began: moment(), ended: undefined };
    this.#changes.push(change);
    return change;
  }

  acknowledge(change: Change<V>): void {
    change.ended = moment();
  }

  /** The server refused it: it has not happened. */
  refuse(change: Change<V>): void {
    this.#changes = this.#changes.filter((each) => each !== change);
  }

  /** From here on it is known to have this value. */
  settle(value: V | undefined): void {
    const at = moment();
    this.#changes = [{ value, began: at, ended: at }];
  }

  get changes(): readonly Change<V>[] {
    return this.#changes;
  }

  /** The changes that may be the last one: those that no acknowledged change followed. */
  last(): Change<V>[] {
    const begins = this.#changes.flatMap(({ began, ended }) =>
      ended === undefined ? [] : [began],
    );
    const latest = Math.max(...begins);
    return this.#changes.filter(({ ended }) => ended === undefined || ended >= latest);
  }

  mayBe(value: V | undefined): boolean {
    return this.last().some((change) => change.value === value);
  }
}
