import type { CommandWriter } from '../ports/commands.ts';
import { unknownUpload } from './upload-refusals.ts';

/** Keeps others out of an upload while one request writes to it. */
export interface Claims {
  /** A session was begun here: nothing is stored under its key. */
  begun?(id: string): void;
  /** Rejects with `upload-conflict` where another writes, `upload-unknown` where the session is over. */
  take(id: string, discarded: () => void): Promise<Claim>;
}

export interface Claim {
  /** As commands are told; undefined: the claim is not the database's. */
  readonly holder: string | undefined;
  /** Nobody wrote to the upload before. */
  readonly untouched: boolean;
  /** Another process wrote to it since this one did: what is held of it here is old. */
  readonly moved?: boolean;
  /** Called once the claim may be another's soon: whoever writes stops. */
  onLost(listener: () => void): void;
  /**
   * The command that is sent next lets go of it, and says so in its answer: renewed between the two, it would be taken
   * again for nobody, and the upload be lost with it.
   */
  settle?(): void;
  /** The row says that it is over. */
  end(): void;
  release(): Promise<void>;
}

/** How long a replica may write to an upload without saying so again. */
const usualTtlMs = 30_000;

/**
 * Where replicas share their storage, only one of them writes to an upload: what two wrote at once would be neither's,
 * and who is late would write into a blob that is finished. One that dies in the middle of a chunk takes the upload
 * along; between chunks any replica goes on.
 */
export class UploadClaims implements Claims {
  readonly #writer: CommandWriter;
  readonly #holder: string;
  readonly #ttlMs: number;

  constructor(writer: CommandWriter, holder: string, ttlMs = usualTtlMs) {
    this.#writer = writer;
    this.#holder = holder;
    this.#ttlMs = ttlMs;
  }

  /** Rejects with `upload-conflict` where another replica writes, `upload-unknown` where the session is over. */
  async take(id: string, discarded: () => void): Promise<UploadClaim> {
    const args = { id, holder: this.#holder, ttlMs: this.#ttlMs };
    const takenAt = performance.now();
    const { state } = await this.#writer.run('ClaimUpload', args);
    if (state === 'ended') {
      discarded();
      throw unknownUpload();
    }
    return new UploadClaim(this.#writer, args, state === 'untouched', takenAt);
  }
}

export class UploadClaim implements Claim {
  readonly holder: string;
  /** Nobody wrote to the upload before. */
  readonly untouched: boolean;
  readonly #writer: CommandWriter;
  readonly #args: { readonly id: string; readonly holder: string; readonly ttlMs: number };
  readonly #timer: NodeJS.Timeout;
  #until: number;
  #lost: (() => void) | undefined;
  #ended = false;

  constructor(
    writer: CommandWriter,
    args: { id: string; holder: string; ttlMs: number },
    untouched: boolean,
    takenAt: number,
  ) {
    this.holder = args.holder;
    this.untouched = untouched;
    this.#writer = writer;
    this.#args = args;
    this.#until = takenAt + args.ttlMs;
    this.#timer = setInterval(() => void this.#renew(), args.ttlMs / 6).unref();
  }

  /** Called once the claim may be another's soon: whoever writes stops. */
  onLost(listener: () => void): void {
    this.#lost = listener;
  }

  settle(): void {
    clearInterval(this.#timer);
  }

  /** The row says that it is over. */
  end(): void {
    this.#ended = true;
    clearInterval(this.#timer);
  }

  async release(): Promise<void> {
    if (this.#ended) return;
    this.end();
    const { id, holder } = this.#args;
    // Without the database the claim ends by itself, and the session with it.
    await this.#writer.run('UnclaimUpload', { id, holder }).catch(() => {});
  }

  async #renew(): Promise<void> {
    const { ttlMs } = this.#args;
    const asked = performance.now();
    // A sixth before its end: what is under way needs a moment to stop.
    if (asked > this.#until - ttlMs / 6) return this.#lose();
    try {
      const { state } = await this.#writer.run('ClaimUpload', this.#args);
      if (state === 'ended') this.#lose();
      else this.#until = asked + ttlMs;
    } catch (error) {
      const { kind } = error as { kind?: string };
      if (kind === 'upload-conflict' || kind === 'upload-unknown') this.#lose();
    }
  }

  #lose(): void {
    if (this.#ended) return;
    clearInterval(this.#timer);
    this.#lost?.();
  }
}
