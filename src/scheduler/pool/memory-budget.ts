/** Memory of all instances together: what they may use is set aside when they start. */
export class MemoryBudget {
  readonly limit: number;
  #used = 0;
  readonly #held = new Map<string, number>();

  constructor(limit: number) {
    this.limit = limit;
  }

  get used(): number {
    return this.#used;
  }

  take(instanceId: string, bytes: number, evenOver = false): boolean {
    if (this.#held.has(instanceId)) return true;
    if (!evenOver && this.#used + bytes > this.limit) return false;
    this.#held.set(instanceId, bytes);
    this.#used += bytes;
    return true;
  }

  free(instanceId: string): boolean {
    const bytes = this.#held.get(instanceId);
    if (bytes === undefined) return false;
    this.#held.delete(instanceId);
    this.#used -= bytes;
    return true;
  }
}
