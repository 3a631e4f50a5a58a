import { RuntimeError } from '../ports/runtime-driver.ts';
import { ActivationError } from '../scheduler/activation.ts';

/** An answer that the gateway makes itself. */
export interface Refusal {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Of the request's record. */
  readonly code: string;
}

/** A request that reaches no function. */
export class GatewayError extends Error {
  readonly status: number;
  readonly code: string;
  readonly hint: string;
  readonly retryAfterSeconds: number | undefined;
  /** In place of the JSON. */
  readonly body: string | undefined;

  constructor(
    status: number,
    code: string,
    message: string,
    hint: string,
    more: { retryAfterSeconds?: number; body?: string } = {},
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.hint = hint;
    this.retryAfterSeconds = more.retryAfterSeconds;
    this.body = more.body;
  }
}

/**
 * The same for all that is not there, so that it tells nobody what is: also for a project whose address lost
 * its meaning by a second service, which is what people stumble over.
 */
export function nothingHere(): GatewayError {
  return new GatewayError(
    404,
    'NOT_FOUND',
    'There is nothing here.',
    'Who may see a project finds its addresses by GET /api/v1/teams/<team>/projects/<project>/hosts. Where it has several services, each has its own; the address of all needs rewrites.',
  );
}

export function malformed(message: string): GatewayError {
  return new GatewayError(
    400,
    'INVALID_REQUEST',
    message,
    'Look at what sent the request, and at proxies on its way.',
  );
}

export function unsupportedCoding(coding: string): GatewayError {
  return new GatewayError(
    501,
    'UNSUPPORTED_CODING',
    `Transfer-Encoding '${coding}' is not taken.`,
    'Send the body as it is, by Content-Length or chunked.',
  );
}

/** Undefined: no error that clients are told of. */
export function refusalOf(error: unknown): Refusal | undefined {
  if (error instanceof ActivationError && error.answer) {
    const { status, headers, body } = error.answer;
    const retry = retryAfter(error.retryAfterSeconds);
    return { status, headers: { ...retry, ...headers }, body, code: error.code };
  }
  // Functions cannot run here, or not now: the text says what is missing.
  if (error instanceof RuntimeError && error.failure === 'unavailable') {
    return refusalOf(
      new GatewayError(503, 'NO_ENGINE', error.message, 'The operator of this server can help.', {
        retryAfterSeconds: 30,
      }),
    );
  }
  if (!(error instanceof ActivationError) && !(error instanceof GatewayError)) return undefined;
  const { status, code, message, hint } = error;
  const own = error instanceof GatewayError ? error.body : undefined;
  return {
    status,
    code,
    headers: { 'content-type': 'application/json', ...retryAfter(error.retryAfterSeconds) },
    body: own ?? `${JSON.stringify({ code, message, hint })}\n`,
  };
}

function retryAfter(seconds: number | undefined): Record<string, string> {
  return seconds === undefined ? {} : { 'retry-after': String(Math.max(1, Math.ceil(seconds))) };
}

export function tooLarge(limit: number): GatewayError {
  return new GatewayError(
    413,
    'REQUEST_TOO_LARGE',
    `The body has more than the ${limit} bytes that are allowed.`,
    'Send less, or store the data elsewhere and send its address.',
  );
}

export function answerTooLarge(limit: number): GatewayError {
  return new GatewayError(
    502,
    'RESPONSE_TOO_LARGE',
    `The function's answer has more than the ${limit} bytes that are allowed.`,
    'Answer with less, or with the address of where the data is.',
  );
}

export function tooLate(limitMs: number): GatewayError {
  return new GatewayError(
    504,
    'REQUEST_TIMEOUT',
    `The function did not answer within ${limitMs / 1000} s.`,
    "Answer sooner, or raise the service's requestTimeoutMs.",
  );
}

/** Of undici's errors: `closed`: the pool was, under a request, and its instance is well; `invalid`: never sent. */
export function causeOf(error: Error): { readonly closed: boolean; readonly invalid: boolean } {
  const { code } = error as { code?: string };
  return {
    closed: code === 'UND_ERR_CLOSED' || code === 'UND_ERR_DESTROYED',
    invalid: code === 'UND_ERR_INVALID_ARG',
  };
}

/** For what a connection to an instance failed with, before an answer came. */
export function instanceFailed(error: Error): GatewayError {
  const { code = '' } = error as { code?: string };
  return code.startsWith('HPE_') || error.name === 'HTTPParserError'
    ? new GatewayError(
        502,
        'BAD_ANSWER',
        'The function answered with something that is not HTTP.',
        "Look at what listens on the service's port.",
      )
    : new GatewayError(
        502,
        'INSTANCE_FAILED',
        'The function closed the connection before it answered.',
        "Look at the function's logs: it may have crashed, or run out of memory.",
      );
}

export function internal(): Refusal {
  return refusalOf(
    new GatewayError(500, 'INTERNAL', 'The gateway failed.', 'The operator finds why in its log.'),
  )!;
}
