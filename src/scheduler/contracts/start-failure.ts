import type { ContractAnswer, StartFailure } from './contract.ts';

const why: Readonly<Record<StartFailure['reason'], { message: string; hint: string }>> = {
  timeout: {
    message: 'The container started, but its HTTP server did not listen in time.',
    hint: "Listen on 0.0.0.0 at the service's port (the container is told it in PORT), or raise startTimeoutMs.",
  },
  exited: {
    message: 'The container ended before its HTTP server listened.',
    hint: "Look at the function's logs, and at its command and args.",
  },
  'loopback-only': {
    message: "The container's HTTP server listens on 127.0.0.1 only.",
    hint: 'Listen on 0.0.0.0: 127.0.0.1 is the inside of the container alone.',
  },
  'start-failed': {
    message: 'The container could not be started.',
    hint: "Look at the image's entrypoint, the service's command and its volumes.",
  },
};

/** A start that failed, in the words of the gateway's own errors. */
export function startFailureAnswer(failure: StartFailure): ContractAnswer {
  const { message, hint } = why[failure.reason];
  const code = failure.exitCode === undefined ? '' : ` Its exit code was ${failure.exitCode}.`;
  const dial = failure.dial ? ` (${failure.dial})` : '';
  const body = { code: 'FUNCTION_NOT_STARTED', message: `${message}${code}${dial}`, hint };
  return {
    status: 502,
    headers: { 'content-type': 'application/json' },
    body: `${JSON.stringify(body)}\n`,
  };
}
