/** Writes of the API itself. */
export interface ApiCommands {
  /**
   * Claims an idempotency key for a request. `answer`: what the first one with that key and content was
   * answered. Rejects with `conflict` where that one is under way, or had other content.
   */
  BeginIdempotent: {
    args: { key: string; requestHash: string; now: number };
    result: { answer: { status: number; sealed: string } | undefined };
  };
  /** With the answer; without one (the request failed) the key is free again. */
  EndIdempotent: {
    args: { key: string; answer: { status: number; sealed: string } | undefined };
    result: null;
  };
}
