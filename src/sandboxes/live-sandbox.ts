import type { RuntimeInstance } from '../ports/runtime-driver.ts';

/** What this process knows of a sandbox that has not ended. */
export class LiveSandbox {
  readonly id: string;
  readonly projectId: string;
  /** Of its start, and of the wait for its end. */
  readonly abort = new AbortController();
  /** Resolves with its container; rejects where it could not be started, or has ended. */
  readonly running: Promise<RuntimeInstance>;
  readonly started: (instance: RuntimeInstance) => void;
  readonly failed: (error: unknown) => void;
  /** Being executed. */
  commands = 0;
  runtime: RuntimeInstance | undefined;

  constructor(id: string, projectId: string) {
    this.id = id;
    this.projectId = projectId;
    const { promise, resolve, reject } = Promise.withResolvers<RuntimeInstance>();
    promise.catch(() => {});
    this.running = promise;
    this.started = (instance) => {
      this.runtime = instance;
      resolve(instance);
    };
    this.failed = reject;
  }
}
