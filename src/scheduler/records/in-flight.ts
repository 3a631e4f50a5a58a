/** A line is stamped by the engine a moment after it was written; by then its request may have ended. */
const lateMs = 25;
/** How long ended requests are remembered, for lines that come late, and how many. */
const rememberedMs = 30_000;
const mostRemembered = 1000;

/** Which requests were in flight on one instance, when. */
export class InFlight {
  readonly #open = new Map<string, number>();
  #ended: { readonly id: string; readonly from: number; readonly to: number }[] = [];

  get count(): number {
    return this.#open.size;
  }

  started(id: string, at: number): void {
    this.#open.set(id, at);
  }

  ended(id: string, at: number): void {
    const from = this.#open.get(id);
    if (from === undefined) return;
    this.#open.delete(id);
    this.#ended.push({ id, from, to: Math.max(from, at) });
    if (this.#ended.length > mostRemembered * 2) this.#forget(at);
  }

  /** Those that a line of that moment belongs to: who was in flight then, else who had ended just before. */
  at(moment: number): string[] {
    const during: string[] = [];
    const before: string[] = [];
    for (const { id, from, to } of this.#ended) {
      if (from > moment) continue;
      if (moment <= to) during.push(id);
      else if (moment <= to + lateMs) before.push(id);
    }
    for (const [id, from] of this.#open) if (from <= moment) during.push(id);
    return during.length > 0 ? during : before;
  }

  /** What no line can belong to any more. */
  sweep(now: number): void {
    if (this.#ended.length > 0) this.#forget(now);
  }

  #forget(now: number): void {
    this.#ended = this.#ended.filter(({ to }) => to >= now - rememberedMs).slice(-mostRemembered);
  }
}
