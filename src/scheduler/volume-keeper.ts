import type { Logger } from '../observability/logger.ts';
import type { Clock } from '../ports/clock.ts';
import type { CommandWriter } from '../ports/commands.ts';
import type { FunctionVolumes } from '../ports/functions.ts';
import { RuntimeError, type RuntimeVolume, type RuntimeVolumes } from '../ports/runtime-driver.ts';

const everyMs = 3_600_000;
/** An engine that was away for less finds what was deleted meanwhile. */
const rememberMs = 400 * 86_400_000;

export interface VolumeKeeperDeps {
  readonly volumes: Pick<FunctionVolumes, 'existing' | 'removed' | 'limited'>;
  readonly runtime: Pick<RuntimeVolumes, 'list' | 'remove' | 'limit' | 'usage'>;
  readonly writer: CommandWriter;
  readonly clock: Clock;
  readonly log: Pick<Logger, 'warn'>;
}

/**
 * Volumes where instances run that were deleted go, with what they hold. Those that the database does not know at all
 * stay: after a restore they are the ones that were made since the backup. The operator says what becomes of them.
 */
export class VolumeKeeper {
  readonly #deps: VolumeKeeperDeps;
  readonly #timer: NodeJS.Timeout;
  #told = '';
  #unknown = 0;

  constructor(deps: VolumeKeeperDeps) {
    this.#deps = deps;
    this.#timer = setInterval(() => void this.sweep(), everyMs).unref();
  }

  /** After a start, and for those that could not be removed: in use still, or the engine was away. Never rejects. */
  async sweep(): Promise<void> {
    const { volumes, runtime, writer, clock, log } = this.#deps;
    try {
      // Instances that went on without this process wrote meanwhile.
      for (const { id, maxBytes } of await volumes.limited()) runtime.limit(id, maxBytes);
      const { removed, unknown, names } = await this.#look();
      for (const { name } of removed) await this.removed(name);
      this.#tell(unknown);
      const before = clock.now() - rememberMs;
      await writer.run('ForgetRemovedVolumes', { before, keep: names });
    } catch (error) {
      log.warn('volumes could not be looked through', { cause: String(error) });
    }
  }

  /** How many that are neither volumes nor deleted ones were there when it was last looked. */
  get unknownCount(): number {
    return this.#unknown;
  }

  /** What is there and neither a volume nor a deleted one. Rejects where the engine is away. */
  async unknown(): Promise<readonly RuntimeVolume[]> {
    return (await this.#look()).unknown;
  }

  /** It was deleted. False: it cannot be removed now, and is tried again. Never rejects. */
  async removed(id: string): Promise<boolean> {
    try {
      await this.#deps.runtime.remove(id);
      return true;
    } catch (error) {
      const used = error instanceof RuntimeError && error.failure === 'in-use';
      if (!used) {
        this.#deps.log.warn('a volume could not be removed', { volume: id, cause: String(error) });
      }
      return false;
    }
  }

  /** Its limit is another. */
  limited(id: string, maxBytes: number | undefined): void {
    this.#deps.runtime.limit(id, maxBytes);
  }

  /** Bytes that a disk holds; undefined where that cannot be told. Never rejects. */
  async usage(id: string): Promise<number | undefined> {
    return await this.#deps.runtime.usage(id).catch(() => undefined);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #look() {
    const { volumes, runtime } = this.#deps;
    const found = await runtime.list();
    const names = found.map(({ name }) => name);
    // In this order: one that is deleted in between is found by the first or by the second.
    const existing = new Set(await volumes.existing(names));
    const deleted = new Set(await volumes.removed(names));
    const rest = found.filter(({ name }) => !existing.has(name));
    const unknown = rest.filter(({ name }) => !deleted.has(name));
    this.#unknown = unknown.length;
    return { names, unknown, removed: rest.filter(({ name }) => deleted.has(name)) };
  }

  /** Once for the same ones. */
  #tell(unknown: readonly RuntimeVolume[]): void {
    const volumes = unknown.map(({ name }) => name).sort();
    const told = volumes.join(' ');
    if (told === this.#told) return;
    this.#told = told;
    if (volumes.length === 0) return;
    this.#deps.log.warn('the container engine holds volumes that the database does not know', {
      count: volumes.length,
      volumes: volumes.slice(0, 20).join(' '),
      hint: 'They stay. npx gantry admin volume list shows them; adopt or remove each.',
    });
  }
}
