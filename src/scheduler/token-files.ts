import { chmod, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { Logger } from '../observability/logger.ts';
import { refuse } from '../oci/errors.ts';
import type { Clock } from '../ports/clock.ts';
import type { InstanceCredentials, InstanceIdentities } from '../ports/instance-identity.ts';

export type IdentityPlace = Parameters<InstanceIdentities['issue']>[0];

/** Where instances find their files. */
export const filesPath = '/var/run/gantry';
export const tokenFile = 'oidc-token';

/** Tokens are good for an hour: each is replaced when half of its time is over. */
const renewWithinMs = 30 * 60_000;
const checkEveryMs = 60_000;

interface Kept {
  readonly place: IdentityPlace;
  /** Its own, or one that another replica made. */
  readonly folder: string;
  expiresAt: number;
  /** Found on disk at the start: an earlier process made it. */
  found: boolean;
}

export interface TokenFilesDeps {
  /** `<data>/run` */
  readonly folder: string;
  readonly identities: InstanceIdentities;
  readonly clock: Clock;
  readonly log: Pick<Logger, 'warn'>;
}

/**
 * Token files of instances, kept fresh as long as these live:
 *
 *   <data>/run/                       0700: of this machine's users, ours alone comes in
 *   <data>/run/<instance>/place.json  whose it is, for the next process
 *   <data>/run/<instance>/files/      mounted into the container, read only
 *   <data>/run/<instance>/files/oidc-token
 *
 * What is mounted may be read by every user of the container, for images run as whom they like. The folder is
 * mounted, not the file, so that a new token takes the old one's place whole.
 */
export class TokenFiles {
  readonly #deps: TokenFilesDeps;
  readonly #kept = new Map<string, Kept>();
  /** Being made; true: given up meanwhile. */
  readonly #making = new Map<string, boolean>();
  readonly #timer: NodeJS.Timeout;
  #working: Promise<unknown> = Promise.resolve();

  /** Goes on with what an earlier process left. */
  static async open(deps: TokenFilesDeps): Promise<TokenFiles> {
    const files = new TokenFiles(deps);
    await mkdir(deps.folder, { recursive: true, mode: 0o700 });
    await chmod(deps.folder, 0o700);
    for (const instanceId of await readdir(deps.folder)) await files.#restore(instanceId);
    return files;
  }

  private constructor(deps: TokenFilesDeps) {
    this.#deps = deps;
    this.#timer = setInterval(() => void this.renew(), checkEveryMs).unref();
  }

  /**
   * The folder to mount, with a fresh token in it. `at`: one that is mounted already; where another replica made it and
   * it can be reached here, it is kept from now on, else a new one is made. Rejects where it was released meanwhile.
   */
  async make(
    instanceId: string,
    place: IdentityPlace,
    at?: string,
  ): Promise<{ source: string; credentials: InstanceCredentials }> {
    this.#making.set(instanceId, false);
    try {
      const made = await this.#make(instanceId, place, at);
      if (this.#making.get(instanceId)) throw refuse('conflict', 'The instance was given up.');
      return made;
    } catch (error) {
      this.release(instanceId);
      throw error;
    } finally {
      this.#making.delete(instanceId);
    }
  }

  async #make(
    instanceId: string,
    place: IdentityPlace,
    at: string | undefined,
  ): Promise<{ source: string; credentials: InstanceCredentials }> {
    const credentials = await this.#deps.identities.issue(place);
    const own = this.#folder(instanceId);
    const { expiresAt } = credentials;
    if (at !== undefined && dirname(at) !== own && (await isOf(at, instanceId, place))) {
      await put(at, credentials.oidcToken);
      this.#kept.set(instanceId, { place, folder: dirname(at), expiresAt, found: false });
      return { source: at, credentials };
    }
    const folder = own;
    const source = join(folder, 'files');
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await mkdir(source, { recursive: true });
    await chmod(source, 0o755);
    await writeFile(join(folder, 'place.json'), JSON.stringify(place), { mode: 0o600 });
    await put(source, credentials.oidcToken);
    this.#kept.set(instanceId, { place, folder, expiresAt, found: false });
    return { source, credentials };
  }

  /** The instance is gone. */
  release(instanceId: string): void {
    if (this.#making.has(instanceId)) this.#making.set(instanceId, true);
    const folder = this.#kept.get(instanceId)?.folder ?? this.#folder(instanceId);
    this.#kept.delete(instanceId);
    this.#work(() => rm(folder, { recursive: true, force: true }));
  }

  /** After a start, once it is known what lives: what an earlier process left for others goes. */
  releaseOthers(living: ReadonlySet<string>): void {
    for (const [instanceId, kept] of this.#kept) {
      if (kept.found && !living.has(instanceId)) this.release(instanceId);
    }
  }

  /** Replaces tokens whose time is half over. One that cannot be made now is tried again a minute later. */
  renew(): Promise<void> {
    return this.#work(async () => {
      const due = this.#deps.clock.now() + renewWithinMs;
      for (const [instanceId, kept] of [...this.#kept]) {
        if (kept.expiresAt > due) continue;
        try {
          const { oidcToken, expiresAt } = await this.#deps.identities.issue(kept.place);
          if (this.#kept.get(instanceId) !== kept) continue;
          await put(join(kept.folder, 'files'), oidcToken);
          kept.expiresAt = expiresAt;
        } catch (error) {
          this.#deps.log.warn('an instance keeps its old token for now', {
            ...{ instanceId, cause: String(error) },
          });
        }
      }
    });
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#working;
  }

  async #restore(instanceId: string): Promise<void> {
    const folder = this.#folder(instanceId);
    try {
      const text = await readFile(join(folder, 'place.json'), 'utf8');
      // Renewed at the first look: when its token ends is not written down.
      this.#kept.set(instanceId, {
        ...{ place: JSON.parse(text) as IdentityPlace, folder, expiresAt: 0, found: true },
      });
    } catch {
      await rm(folder, { recursive: true, force: true });
    }
  }

  #folder(instanceId: string): string {
    if (!/^[A-Za-z0-9_-]{1,64}$/.test(instanceId)) throw new Error('not the id of an instance');
    // Engines take no relative paths.
    return join(resolve(this.#deps.folder), instanceId);
  }

  /** One after the other: a folder that goes is not written into. */
  #work(job: () => Promise<void>): Promise<void> {
    const done = this.#working.then(job).catch((error: unknown) => {
      this.#deps.log.warn('files of an instance could not be kept', { cause: String(error) });
    });
    this.#working = done;
    return done;
  }
}

/** Whether another replica made that folder for the same instance, as this one would. */
async function isOf(at: string, instanceId: string, place: IdentityPlace): Promise<boolean> {
  const folder = dirname(at);
  if (basename(at) !== 'files' || basename(folder) !== instanceId) return false;
  const text = await readFile(join(folder, 'place.json'), 'utf8').catch(() => undefined);
  return text === JSON.stringify(place);
}

async function put(folder: string, token: string): Promise<void> {
  const next = join(folder, `.${tokenFile}`);
  await rm(next, { force: true });
  await writeFile(next, token, { mode: 0o444 });
  await chmod(next, 0o444);
  await rename(next, join(folder, tokenFile));
}
