import { RegistryError, refuse } from '../oci/errors.ts';
import type { Clock } from '../ports/clock.ts';
import type { CommandWriter } from '../ports/commands.ts';
import type { KeyPurpose, Keys, WrappedKey } from '../ports/keys.ts';
import { type InstallationKey, seal, unseal } from './key-ring.ts';

/** How the keys of one purpose are made and replaced. */
export interface KeyRule {
  readonly generate: () => Promise<Buffer> | Buffer;
  /** How long others may take to hear of a new key: it does not sign before. */
  readonly leadMs: number;
  /** The longest that anything is good for that a key signs; undefined: for ever, so keys never retire. */
  readonly lifeMs: number | undefined;
}

export interface Rotation {
  readonly purpose: KeyPurpose;
  readonly id: string;
  readonly signsAt: number;
  /** Until when those before it verify; undefined: for ever. */
  readonly retiredAt: number | undefined;
}

export interface KeyRingsDeps {
  readonly keys: Keys;
  readonly writer: CommandWriter;
  readonly wrappingKey: Buffer;
  readonly clock: Clock;
  readonly newId: () => string;
  readonly rules: Readonly<Record<KeyPurpose, KeyRule>>;
  /** Others need not wait until they look again. */
  readonly rotated?: (() => void) | undefined;
}

/** The keys of one purpose as they are at the moment of looking: the first signs, all verify. */
export interface KeyRing extends Iterable<InstallationKey> {
  /** Makes the first key where there is none. */
  ensure(): Promise<void>;
  /** Somebody named a key that is not known: another replica may have made it. Reads at most every few seconds. */
  refresh(): Promise<void>;
}

interface Loaded {
  rows: readonly WrappedKey[];
  readonly bytes: Map<string, Buffer>;
  ensuring: Promise<void> | undefined;
  refreshedAt: number;
}

const refreshEveryMs = 3_000;

/** The installation's keys of all purposes; rotated here or by another process, they are read again. */
export class KeyRings {
  readonly #deps: KeyRingsDeps;
  readonly #loaded = new Map<KeyPurpose, Loaded>();

  constructor(deps: KeyRingsDeps) {
    this.#deps = deps;
  }

  /**
   * Rejects with `invalid` where the keys were wrapped with another secret key. `later`: the first key is
   * made when somebody asks for it.
   */
  async open(purpose: KeyPurpose, options: { later?: boolean } = {}): Promise<KeyRing> {
    const loaded: Loaded = { rows: [], bytes: new Map(), ensuring: undefined, refreshedAt: 0 };
    this.#loaded.set(purpose, loaded);
    await this.#read(purpose, loaded);
    const ring: KeyRing = {
      ensure: () => {
        loaded.ensuring ??= this.#makeMissing(purpose, loaded).finally(() => {
          loaded.ensuring = undefined;
        });
        return loaded.ensuring;
      },
      refresh: async () => {
        const now = performance.now();
        if (loaded.refreshedAt > 0 && now - loaded.refreshedAt < refreshEveryMs) return;
        loaded.refreshedAt = now;
        await this.#read(purpose, loaded);
      },
      [Symbol.iterator]: () => this.#inOrder(purpose, loaded)[Symbol.iterator](),
    };
    if (!options.later) await ring.ensure();
    return ring;
  }

  /** What another process rotated is known after this. */
  async reload(): Promise<void> {
    for (const [purpose, loaded] of this.#loaded) await this.#read(purpose, loaded);
  }

  /** Rejects with `conflict` where somebody else just rotated, `invalid` where what is sealed would be lost. */
  async rotate(purpose: KeyPurpose, options: { now?: boolean } = {}): Promise<Rotation> {
    const { keys, writer, clock, rules } = this.#deps;
    const { leadMs, lifeMs, generate } = rules[purpose];
    if (options.now && lifeMs === undefined) {
      throw refuse(
        'invalid',
        `Keys of purpose ${purpose} open what is stored: the old ones cannot be taken away at once.`,
        'Rotate without --now: what is stored from now on is sealed with the new key.',
      );
    }
    const now = clock.now();
    const [newest] = await keys.list(purpose);
    const key = await this.#wrap(purpose, await generate(), now);
    const signsAt = options.now || !newest ? now : now + leadMs;
    const retiredAt = lifeMs === undefined ? undefined : options.now ? now : signsAt + lifeMs;
    await writer.run('RotateKey', { key, replaces: newest?.id, retireAt: retiredAt, now });
    const loaded = this.#loaded.get(purpose);
    if (loaded) await this.#read(purpose, loaded);
    this.#deps.rotated?.();
    return { purpose, id: key.id, signsAt, retiredAt };
  }

  /** Rotates where the newest key is older than `ageMs`; undefined where it is not, or where there is none. */
  async rotateOlderThan(purpose: KeyPurpose, ageMs: number): Promise<Rotation | undefined> {
    const [newest] = await this.#deps.keys.list(purpose);
    if (!newest || this.#deps.clock.now() - newest.createdAt < ageMs) return undefined;
    return this.rotate(purpose);
  }

  async #makeMissing(purpose: KeyPurpose, loaded: Loaded): Promise<void> {
    if (loaded.rows.some((row) => row.retiredAt === undefined)) return;
    const { writer, clock, rules } = this.#deps;
    const key = await this.#wrap(purpose, await rules[purpose].generate(), clock.now());
    try {
      await writer.run('RotateKey', {
        ...{ key, replaces: loaded.rows[0]?.id, retireAt: undefined, now: clock.now() },
      });
    } catch (error) {
      // Another replica that starts for the first time made it: that one is everybody's.
      if (!(error instanceof RegistryError && error.kind === 'conflict')) throw error;
    }
    await this.#read(purpose, loaded);
  }

  async #wrap(purpose: KeyPurpose, bytes: Buffer, createdAt: number): Promise<WrappedKey> {
    const id = this.#deps.newId();
    const wrapped = seal(this.#deps.wrappingKey, bytes, `${purpose}:${id}`);
    return { id, purpose, wrapped, createdAt, retiredAt: undefined };
  }

  async #read(purpose: KeyPurpose, loaded: Loaded): Promise<void> {
    const rows = await this.#deps.keys.list(purpose);
    for (const row of rows) {
      if (loaded.bytes.has(row.id)) continue;
      const bytes = unseal(this.#deps.wrappingKey, row.wrapped, `${row.purpose}:${row.id}`);
      loaded.bytes.set(row.id, bytes);
    }
    const ids = new Set(rows.map((row) => row.id));
    for (const id of loaded.bytes.keys()) if (!ids.has(id)) loaded.bytes.delete(id);
    loaded.rows = rows;
  }

  #inOrder(purpose: KeyPurpose, { rows, bytes }: Loaded): InstallationKey[] {
    const now = this.#deps.clock.now();
    const { leadMs } = this.#deps.rules[purpose];
    const good = rows.filter(({ retiredAt }) => retiredAt === undefined || retiredAt > now);
    const current = good.filter(({ retiredAt }) => retiredAt === undefined);
    // Newest first: one that all have heard of; else the one that it replaces; else it is the only one.
    const signer =
      current.find(({ createdAt }) => createdAt + leadMs <= now) ??
      good.find(({ retiredAt }) => retiredAt !== undefined) ??
      current.at(-1);
    const ordered = signer ? [signer, ...good.filter((row) => row !== signer)] : [];
    return ordered.map(({ id }) => ({ id, bytes: bytes.get(id)! }));
  }
}
