import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../ports/clock.ts';
import type { InstallationKey } from './key-ring.ts';

/** Signs the URLs of upload sessions, so that a session's id alone opens nothing. */
export class UploadUrls {
  readonly #keys: Iterable<InstallationKey>;
  readonly #clock: Clock;
  readonly #lifetimeMs: number;

  constructor(deps: { keys: Iterable<InstallationKey>; clock: Clock; lifetimeMs: number }) {
    this.#keys = deps.keys;
    this.#clock = deps.clock;
    this.#lifetimeMs = deps.lifetimeMs;
  }

  /** Path and query: the client adds its own parameters behind them. */
  sign(name: string, uploadId: string): string {
    const expires = (this.#clock.now() + this.#lifetimeMs).toString(36);
    const [key] = this.#keys;
    if (!key) throw new Error('no key for upload URLs');
    const signature = mac(key, name, uploadId, expires);
    return `/v2/${name}/blobs/uploads/${uploadId}?_state=${expires}.${signature}`;
  }

  verify(name: string, uploadId: string, state: string | null): boolean {
    const match = /^([0-9a-z]{1,12})\.([A-Za-z0-9_-]{43})$/.exec(state ?? '');
    if (!match) return false;
    const [, expires, signature] = match as unknown as [string, string, string];
    if (Number.parseInt(expires, 36) <= this.#clock.now()) return false;
    return [...this.#keys].some((key) => {
      const expected = mac(key, name, uploadId, expires);
      return timingSafeEqual(Buffer.from(expected), Buffer.from(signature));
    });
  }
}

function mac(key: InstallationKey, name: string, uploadId: string, expires: string): string {
  return createHmac('sha256', key.bytes)
    .update(`${name}\n${uploadId}\n${expires}`)
    .digest('base64url');
}
