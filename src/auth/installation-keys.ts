import { randomBytes } from 'node:crypto';
import type { Clock } from '../ports/clock.ts';
import type { KeyPurpose } from '../ports/keys.ts';
import { generateIssuerKey, longestTokenSeconds } from './issuer.ts';
import type { KeyRings, KeyRule } from './key-rings.ts';
import type { OidcLog } from './oidc-keys.ts';
import { generateSigningKey } from './registry-tokens.ts';

const minute = 60_000;
const hour = 60 * minute;

/** Processes look for new keys this often; keys that only they use wait for the slowest of them. */
export const reloadEveryMs = 15_000;
const ownLeadMs = minute;
/** Verifiers keep an issuer's keys for hours; most for a day at the most. */
const issuerLeadMs = 24 * hour;
/** Of clocks, and of requests on their way. */
const margin = 5 * minute;

export function keyRules(settings: {
  readonly tokenTtl: number;
  readonly uploadExpiry: number;
}): Readonly<Record<KeyPurpose, KeyRule>> {
  const { tokenTtl, uploadExpiry } = settings;
  const random = () => randomBytes(32);
  return {
    'registry-token': {
      generate: generateSigningKey,
      leadMs: ownLeadMs,
      // Uploads go on with a token that has run out.
      lifeMs: tokenTtl + uploadExpiry + margin,
    },
    'upload-url': { generate: random, leadMs: ownLeadMs, lifeMs: uploadExpiry + margin },
    issuer: {
      generate: generateIssuerKey,
      leadMs: issuerLeadMs,
      lifeMs: longestTokenSeconds * 1000 + margin,
    },
    sealing: { generate: random, leadMs: ownLeadMs, lifeMs: undefined },
    cursor: { generate: random, leadMs: ownLeadMs, lifeMs: 24 * hour },
  };
}

/** Reads what others rotated, and rotates the issuer's key when it is old. */
export class KeyKeeper {
  readonly #rings: KeyRings;
  readonly #rotateAfterMs: number;
  readonly #log: OidcLog;
  readonly #clock: Clock;
  readonly #timer: NodeJS.Timeout;
  #running: Promise<void> = Promise.resolve();
  #checkedAt = Number.NEGATIVE_INFINITY;

  constructor(deps: { rings: KeyRings; rotateAfterMs: number; clock: Clock; log: OidcLog }) {
    this.#rings = deps.rings;
    this.#rotateAfterMs = deps.rotateAfterMs;
    this.#log = deps.log;
    this.#clock = deps.clock;
    this.#timer = setInterval(() => {
      this.#running = this.#running.then(() => this.look());
    }, reloadEveryMs);
    this.#timer.unref();
  }

  async look(): Promise<void> {
    try {
      await this.#rings.reload();
      const now = this.#clock.now();
      if (now - this.#checkedAt < hour && now >= this.#checkedAt) return;
      this.#checkedAt = now;
      const rotation = await this.#rings.rotateOlderThan('issuer', this.#rotateAfterMs);
      if (rotation) this.#log.info('the key of the OIDC issuer was rotated', { ...rotation });
    } catch (error) {
      // Next time: the keys that are known go on.
      this.#log.warn('the keys could not be looked after', { cause: String(error) });
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#running;
  }
}
