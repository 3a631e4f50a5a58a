import type { Clock } from '../ports/clock.ts';
import type { CommandWriter } from '../ports/commands.ts';
import type { Events } from '../ports/events.ts';
import type { Delivery, Webhook, Webhooks } from '../ports/webhooks.ts';
import { toCloudEventJson } from './envelope.ts';
import { type Outbound, type Posted, postMessage } from './webhook-post.ts';
import { type Seal, type SigningKeys, unsealKeys } from './webhook-secrets.ts';

export interface DeliveryPolicy {
  /** Of one attempt, milliseconds. */
  readonly timeoutMs: number;
  /** How often a delivery is tried before it is given up. */
  readonly attempts: number;
  /** Before the second attempt; each further wait is four times as long, at most `longestMs`. */
  readonly backoffMs: number;
  readonly longestMs: number;
  /** A delivery that is older is given up, so that a queue behind a dead receiver ends. */
  readonly expiryMs: number;
}

export interface WebhookSenderDeps {
  readonly webhooks: Webhooks;
  readonly events: Pick<Events, 'at'>;
  readonly writer: CommandWriter;
  /** False: another replica sends now. */
  readonly leads?: () => boolean;
  readonly outbound: Outbound;
  readonly seal: Seal;
  readonly clock: Clock;
  readonly newId: () => string;
  readonly policy: DeliveryPolicy;
  /** 0 to 1. */
  readonly random?: () => number;
  readonly sent?: (state: Delivery['state']) => void;
  readonly failed: (cause: unknown) => void;
}

/** At once, over all, and of one webhook: a slow receiver leaves room for the others. */
const mostAtOnce = 32;
const mostOfOne = 8;
const pollMs = 1000;
/** How long a message under way may go on when the server stops. */
const stopMs = 2000;

/**
 * Sends what is due. In each stream of a webhook only one delivery is pending at a time (the command that
 * ends it lets the next begin), so events of a repository arrive in order, and streams do not wait for each
 * other. What is sent and not yet written down when the process dies is sent again.
 */
export class WebhookSender {
  readonly #deps: WebhookSenderDeps;
  readonly #underWay = new Map<string, { webhookId: string; done: Promise<void> }>();
  readonly #timer: NodeJS.Timeout;
  readonly #ending = new AbortController();
  #looking = false;
  #again = false;
  #stopped = false;

  constructor(deps: WebhookSenderDeps) {
    this.#deps = deps;
    this.#timer = setInterval(() => this.wake(), pollMs).unref();
  }

  /** There may be something due. */
  wake(): void {
    if (this.#stopped || !this.#leads) return;
    this.#again = true;
    if (this.#looking) return;
    this.#looking = true;
    void this.#lookAgain().finally(() => {
      this.#looking = false;
    });
  }

  /** Resolves when nothing is due and nothing under way. */
  async idle(): Promise<void> {
    do {
      this.wake();
      while (this.#looking) await new Promise(setImmediate);
      await Promise.all([...this.#underWay.values()].map(({ done }) => done));
    } while (this.#underWay.size > 0 || this.#looking || this.#again);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    const cut = setTimeout(() => this.#ending.abort(), stopMs);
    await Promise.all([...this.#underWay.values()].map(({ done }) => done));
    clearTimeout(cut);
  }

  async #lookAgain(): Promise<void> {
    try {
      while (this.#again && !this.#stopped) {
        this.#again = false;
        // As long as something begins: what one webhook may not send leaves room for another's.
        while (await this.#begin());
      }
    } catch (error) {
      this.#deps.failed(error);
    }
  }

  get #leads(): boolean {
    return this.#deps.leads?.() ?? true;
  }

  /** Begins what is due and may begin; how much that was. */
  async #begin(): Promise<number> {
    const { webhooks, clock } = this.#deps;
    const free = mostAtOnce - this.#underWay.size;
    if (free <= 0 || this.#stopped || !this.#leads) return 0;
    const load = new Map<string, number>();
    for (const { webhookId } of this.#underWay.values()) {
      load.set(webhookId, (load.get(webhookId) ?? 0) + 1);
    }
    const full = [...load].filter(([, count]) => count >= mostOfOne).map(([id]) => id);
    const due = await webhooks.due(clock.now(), full, mostAtOnce + this.#underWay.size);
    let begun = 0;
    for (const delivery of due) {
      const { id, webhookId } = delivery;
      const own = load.get(webhookId) ?? 0;
      if (begun === free || own >= mostOfOne || this.#underWay.has(id)) continue;
      load.set(webhookId, own + 1);
      begun += 1;
      const done = this.#send(delivery).then(
        () => {
          this.#underWay.delete(id);
          this.wake();
        },
        // No wake: what cannot be written down now waits for the next look.
        (error: unknown) => {
          this.#underWay.delete(id);
          if (!this.#ending.signal.aborted) this.#deps.failed(error);
        },
      );
      this.#underWay.set(id, { webhookId, done });
    }
    return begun;
  }

  async #send(delivery: Delivery): Promise<void> {
    const { webhooks, events, clock, policy } = this.#deps;
    const webhook = await webhooks.find(delivery.webhookId);
    if (!webhook?.enabled) return;
    if (delivery.createdAt + policy.expiryMs < clock.now()) {
      return this.#giveUp(delivery, 'It waited too long for its turn.');
    }
    const event = await events.at(delivery.eventPosition);
    if (event?.id !== delivery.eventId) {
      return this.#giveUp(delivery, 'The event is no longer kept.');
    }
    const keys = this.#keysOf(webhook);
    if (!keys) return this.#giveUp(delivery, 'The secret to sign with cannot be opened.');
    const { outbound } = this.#deps;
    const posted = await postMessage(
      { outbound, clock, timeoutMs: policy.timeoutMs },
      {
        ...{ url: webhook.url, keys, id: event.id, body: toCloudEventJson(event) },
        signal: this.#ending.signal,
      },
    );
    await this.#record(delivery, posted);
  }

  #keysOf({ id, sealedSecret }: Webhook): SigningKeys | undefined {
    try {
      return unsealKeys(this.#deps.seal, id, sealedSecret);
    } catch (error) {
      this.#deps.failed(error);
      return undefined;
    }
  }

  async #record(delivery: Delivery, posted: Posted): Promise<void> {
    const { writer, clock, newId, policy, sent } = this.#deps;
    const now = clock.now();
    const last = delivery.attempts + 1 >= policy.attempts;
    const state = posted.error === undefined ? 'delivered' : last ? 'dead' : 'pending';
    const { startedAt, durationMs, status, error, response } = posted;
    await writer.run('RecordAttempt', {
      attempt: {
        ...{ id: newId(), deliveryId: delivery.id, startedAt, durationMs, status, error, response },
      },
      deliveryId: delivery.id,
      state,
      nextAt: now + this.#wait(delivery.attempts, posted),
      error,
      now,
    });
    sent?.(state);
  }

  async #giveUp(delivery: Delivery, error: string): Promise<void> {
    const now = this.#deps.clock.now();
    const rest = { attempt: undefined, nextAt: now, now };
    await this.#deps.writer.run('RecordAttempt', {
      ...rest,
      ...{ deliveryId: delivery.id, state: 'dead', error },
    });
    this.#deps.sent?.('dead');
  }

  /** Four times as long each time, within a fifth of chance, so that receivers do not hear all at once. */
  #wait(attempts: number, { retryAfterMs = 0 }: Posted): number {
    const { policy, random = Math.random } = this.#deps;
    const backoff = Math.min(policy.backoffMs * 4 ** attempts, policy.longestMs);
    const asked = Math.min(retryAfterMs, policy.longestMs);
    return Math.round(Math.max(backoff * (0.8 + 0.4 * random()), asked));
  }
}
