/** Wakes those who follow a project's lines once more of them are written. Keeps no line. */
export class LineSignal {
  readonly #waiting = new Map<string, { promise: Promise<void>; resolve: () => void }>();

  /** Resolves at the next write. Ask before reading, so that nothing is missed between. */
  next(projectId: string): Promise<void> {
    let waiting = this.#waiting.get(projectId);
    if (!waiting) {
      waiting = Promise.withResolvers<void>();
      this.#waiting.set(projectId, waiting);
    }
    return waiting.promise;
  }

  wrote(projects: ReadonlySet<string>): void {
    for (const projectId of projects) {
      const waiting = this.#waiting.get(projectId);
      this.#waiting.delete(projectId);
      waiting?.resolve();
    }
  }
}
