import { version } from '../config/version.ts';
import { RegistryError } from '../oci/errors.ts';
import type { Clock } from '../ports/clock.ts';
import { type SigningKeys, signedHeaders } from './webhook-secrets.ts';

/** The guarded way out: auth's OutboundGuard. */
export interface Outbound {
  check(url: string): void;
  fetch(
    url: string,
    request: {
      timeoutMs: number;
      maxBytes: number;
      truncate: boolean;
      headers: Record<string, string>;
      body: string;
      signal: AbortSignal;
    },
  ): Promise<{
    status: number;
    headers: Readonly<Record<string, string | string[] | undefined>>;
    body: Buffer;
  }>;
}

/** What came of sending a message once. */
export interface Posted {
  readonly startedAt: number;
  readonly durationMs: number;
  /** Undefined: there was no answer. */
  readonly status: number | undefined;
  /** Undefined: it was taken (2xx). */
  readonly error: string | undefined;
  /** The first bytes of the answer's body. */
  readonly response: string | undefined;
  /** Milliseconds that the receiver asks to be left alone (Retry-After). */
  readonly retryAfterMs: number | undefined;
}

/** Of an answer's body. */
const keptBytes = 1024;

/**
 * Sends a CloudEvent in structured mode, signed, by POST. Redirects are not followed: an answer 3xx has not
 * taken the message. Never rejects, but where `signal` ends it.
 */
export async function postMessage(
  { outbound, clock, timeoutMs }: { outbound: Outbound; clock: Clock; timeoutMs: number },
  message: { url: string; keys: SigningKeys; id: string; body: string; signal: AbortSignal },
): Promise<Posted> {
  const { url, keys, id, body, signal } = message;
  const startedAt = clock.now();
  const began = performance.now();
  const posted = (rest: Partial<Posted>): Posted => ({
    ...{ startedAt, durationMs: Math.round(performance.now() - began) },
    ...{ status: undefined, error: undefined, response: undefined, retryAfterMs: undefined },
    ...rest,
  });
  try {
    const answer = await outbound.fetch(url, {
      ...{ timeoutMs, maxBytes: keptBytes, truncate: true, body, signal },
      headers: {
        'content-type': 'application/cloudevents+json; charset=utf-8',
        'user-agent': `gantry/${version}`,
        ...signedHeaders(keys, { id, body, now: startedAt }),
      },
    });
    const { status } = answer;
    const taken = status >= 200 && status < 300;
    return posted({
      status,
      error: taken ? undefined : `The receiver answered ${status}.`,
      response: answer.body.toString('utf8'),
      retryAfterMs: retryAfterOf(answer.headers['retry-after']),
    });
  } catch (error) {
    signal.throwIfAborted();
    const known = error instanceof RegistryError;
    return posted({ error: known ? error.message : 'The message could not be sent.' });
  }
}

function retryAfterOf(header: string | string[] | undefined): number | undefined {
  return typeof header === 'string' && /^\d{1,6}$/.test(header) ? Number(header) * 1000 : undefined;
}
