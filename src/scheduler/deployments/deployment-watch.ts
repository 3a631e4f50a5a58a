import type { Deployment, DeploymentState, Deployments } from '../../ports/functions.ts';

/** States that do not change by themselves. */
const settled: readonly DeploymentState[] = ['ready', 'failed', 'superseded', 'deleted'];

export const isSettled = ({ state }: Pick<Deployment, 'state'>): boolean => settled.includes(state);

/** Tells of deployments as their states change, whoever changes them. */
export class DeploymentWatch {
  readonly #deployments: Pick<Deployments, 'findById'>;
  readonly #watchers = new Set<() => void>();
  /** Reads since the last change: many who wait for one deployment ask once. */
  readonly #reads = new Map<string, Promise<Deployment | undefined>>();
  #pending = false;

  constructor(deps: {
    deployments: Pick<Deployments, 'findById'>;
    onCommit(listener: () => void): void;
  }) {
    this.#deployments = deps.deployments;
    deps.onCommit(() => this.#wake());
  }

  /** Now, and each time that its state is another, until it is settled, gone or `signal` is aborted. */
  async *watch(id: string, signal: AbortSignal): AsyncGenerator<Deployment> {
    let last: DeploymentState | undefined;
    while (!signal.aborted) {
      // Before it is read: what changes after that is seen.
      const change = this.#next(signal);
      try {
        const deployment = await this.#read(id);
        if (!deployment) return;
        if (deployment.state !== last) {
          last = deployment.state;
          yield deployment;
        }
        if (isSettled(deployment)) return;
        await change.came;
      } finally {
        change.cancel();
      }
    }
  }

  /** As it is once it is settled; undefined where it is gone. Rejects where `signal` is aborted before. */
  async waitReady(id: string, signal: AbortSignal): Promise<Deployment | undefined> {
    let last: Deployment | undefined;
    for await (const deployment of this.watch(id, signal)) last = deployment;
    if (last && !isSettled(last)) signal.throwIfAborted();
    return last;
  }

  #read(id: string): Promise<Deployment | undefined> {
    const known = this.#reads.get(id);
    if (known) return known;
    const read = Promise.resolve(this.#deployments.findById(id));
    this.#reads.set(id, read);
    const forget = () => {
      if (this.#reads.get(id) === read) this.#reads.delete(id);
    };
    read.then(forget, forget);
    return read;
  }

  #next(signal: AbortSignal): { came: Promise<void>; cancel(): void } {
    const { promise: came, resolve } = Promise.withResolvers<void>();
    const cancel = () => {
      this.#watchers.delete(cancel);
      signal.removeEventListener('abort', cancel);
      resolve();
    };
    this.#watchers.add(cancel);
    signal.addEventListener('abort', cancel, { once: true });
    return { came, cancel };
  }

  /** Many commits in one turn are one change. */
  #wake(): void {
    if (this.#pending || this.#watchers.size === 0) return;
    this.#pending = true;
    setImmediate(() => {
      this.#pending = false;
      this.#reads.clear();
      for (const watcher of [...this.#watchers]) watcher();
    });
  }
}
