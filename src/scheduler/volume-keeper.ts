import type { Logger } from '../observability/logger.ts';
import type { FunctionVolumes } from '../ports/functions.ts';
import { RuntimeError, type RuntimeVolumes } from '../ports/runtime-driver.ts';

const everyMs = 3_600_000;

/** Volumes where instances run that are in the database no more go: what they hold is gone then. */
export class VolumeKeeper {
  readonly #volumes: Pick<FunctionVolumes, 'existing' | 'limited'>;
  readonly #runtime: Pick<RuntimeVolumes, 'list' | 'remove' | 'limit' | 'usage'>;
  readonly #log: Pick<Logger, 'warn'>;
  readonly #timer: NodeJS.Timeout;

  constructor(deps: {
    volumes: Pick<FunctionVolumes, 'existing' | 'limited'>;
    runtime: Pick<RuntimeVolumes, 'list' | 'remove' | 'limit' | 'usage'>;
    log: Pick<Logger, 'warn'>;
  }) {
    this.#volumes = deps.volumes;
    this.#runtime = deps.runtime;
    this.#log = deps.log;
    this.#timer = setInterval(() => void this.sweep(), everyMs).unref();
  }

  /** After a start, and for those that could not be removed: in use still, or the engine was away. */
  async sweep(): Promise<void> {
    try {
      // Instances that went on without this process wrote meanwhile.
      for (const { id, maxBytes } of await this.#volumes.limited()) {
        this.#runtime.limit(id, maxBytes);
      }
      const names = await this.#runtime.list();
      const known = new Set(await this.#volumes.existing(names));
      for (const name of names) if (!known.has(name)) await this.removed(name);
    } catch (error) {
      this.#log.warn('volumes could not be looked through', { cause: String(error) });
    }
  }

  /** Its row is gone. Never rejects: what cannot be removed now is tried again. */
  async removed(id: string): Promise<void> {
    try {
      await this.#runtime.remove(id);
    } catch (error) {
      if (error instanceof RuntimeError && error.failure === 'in-use') return;
      this.#log.warn('a volume could not be removed', { volume: id, cause: String(error) });
    }
  }

  /** Its limit is another. */
  limited(id: string, maxBytes: number | undefined): void {
    this.#runtime.limit(id, maxBytes);
  }

  /** Bytes that a disk holds; undefined where that cannot be told. Never rejects. */
  usage(id: string): Promise<number | undefined> {
    return this.#runtime.usage(id).catch(() => undefined);
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
