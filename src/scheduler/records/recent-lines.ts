import type { RuntimeLogLine } from '../../ports/runtime-driver.ts';

type Line = Pick<RuntimeLogLine, 'at' | 'stream' | 'text'>;

/** Streams are stamped side by side: their lines may lie that far out of order, in milliseconds. */
const windowMs = 1000;
const mostKept = 4096;

/**
 * Which lines came lately, so that reading can go on where it broke off: from a little earlier, leaving out
 * what is known. Lines of one moment that read the same are counted.
 */
export class RecentLines {
  #kept: { readonly at: number; readonly key: string }[] = [];
  /** Of what comes again, how often each line is still to come. */
  #again = new Map<string, number>();
  #newest: number | undefined;
  #full = false;

  /** False: it came before. */
  isNew(line: Line): boolean {
    const key = keyOf(line);
    const left = this.#again.get(key) ?? 0;
    if (left > 0) {
      this.#again.set(key, left - 1);
      return false;
    }
    this.note(line);
    return true;
  }

  note(line: Line): void {
    this.#kept.push({ at: line.at, key: keyOf(line) });
    this.#newest = Math.max(this.#newest ?? 0, line.at);
    if (this.#kept.length > mostKept * 2) this.#trim();
  }

  /** From when to read on, in UTC milliseconds; undefined: from the beginning. */
  resume(): number | undefined {
    this.#trim();
    this.#again = new Map();
    for (const { key } of this.#kept) this.#again.set(key, (this.#again.get(key) ?? 0) + 1);
    if (this.#newest === undefined) return undefined;
    const oldest = this.#kept[0]?.at ?? this.#newest;
    return this.#full ? oldest : Math.max(0, this.#newest - windowMs);
  }

  #trim(): void {
    const since = (this.#newest ?? 0) - windowMs;
    const kept = this.#kept.filter(({ at }) => at >= since);
    this.#full = kept.length > mostKept;
    if (this.#full) {
      // Those of the oldest moment may be there in part: without them.
      const oldest = kept.at(-mostKept)!.at;
      this.#kept = kept.filter(({ at }) => at > oldest);
    } else this.#kept = kept;
  }
}

/** The beginning is enough, and is the same for a line that was cut. */
const keyOf = ({ at, stream, text }: Line): string => `${at} ${stream} ${text.slice(0, 200)}`;
