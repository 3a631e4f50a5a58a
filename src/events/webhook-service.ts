import type { Clock } from '../ports/clock.ts';
import type { Webhook } from '../ports/webhooks.ts';
import { testEventJson } from './envelope.ts';
import { type Outbound, type Posted, postMessage } from './webhook-post.ts';
import {
  newWebhookSecret,
  type Seal,
  type SigningKeys,
  sealKeys,
  unsealKeys,
} from './webhook-secrets.ts';

/** How long the secret before a rotated one still signs. */
const overlapMs = 24 * 3_600_000;

export interface WebhookServiceDeps {
  readonly outbound: Outbound;
  readonly seal: Seal;
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** Of the event of a test. */
  readonly newId: () => string;
  readonly wake: () => void;
}

/** What the management of webhooks needs beside the facts. */
export class WebhookService {
  readonly #deps: WebhookServiceDeps;

  constructor(deps: WebhookServiceDeps) {
    this.#deps = deps;
  }

  /** Throws `invalid` for what may not be called: not https, or an inner address. */
  checkUrl(url: string): void {
    this.#deps.outbound.check(url);
  }

  sealSecret(webhookId: string, secret: string = newWebhookSecret()) {
    return { secret, sealed: sealKeys(this.#deps.seal, webhookId, { secret }) };
  }

  /** Another secret; the one until now signs beside it for a day. */
  rotate(webhook: Webhook, secret: string = newWebhookSecret()) {
    const { seal, clock } = this.#deps;
    const until = clock.now() + overlapMs;
    const previous = { secret: this.#keysOf(webhook).secret, until };
    return { secret, until, sealed: sealKeys(seal, webhook.id, { secret, previous }) };
  }

  /** Sends a message of type `webhook.test`, once, and waits for what comes of it. */
  test(webhook: Webhook, actor: string): Promise<Posted> {
    const { newId, clock } = this.#deps;
    const id = newId();
    const { teamId } = webhook;
    const test = { id, teamId, webhookId: webhook.id, actor, now: clock.now() };
    const message = { id, url: webhook.url, keys: this.#keysOf(webhook) };
    const body = testEventJson(test);
    return postMessage(this.#deps, { ...message, body, signal: new AbortController().signal });
  }

  /** Something may be due. */
  wake(): void {
    this.#deps.wake();
  }

  #keysOf({ id, sealedSecret }: Webhook): SigningKeys {
    return unsealKeys(this.#deps.seal, id, sealedSecret);
  }
}
