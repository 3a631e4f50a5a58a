import type { ContractAnswer, StartFailure } from './contract.ts';

const what: Readonly<Record<StartFailure['reason'], string>> = {
  timeout: 'The container started, but its HTTP server did not listen in time',
  exited: 'The container ended before its HTTP server listened',
  'loopback-only': "The container's HTTP server listens on 127.0.0.1 only",
  'start-failed': 'The container could not be started',
};

/**
 * Exit code of SIGKILL, which nothing in a container can send to its first process. An engine that did not watch its
 * memory yet does not know that the kernel did.
 */
export const killedCode = 137;

/** What who made the image does about it. */
export function startHint({ reason, port, exitCode, others = [] }: StartFailure): string {
  switch (reason) {
    case 'timeout': {
      const told = port === undefined ? 'the port that PORT names' : `port ${port}, as PORT says`;
      return others.length > 0
        ? `Have the server listen at ${told}, or set the service's port: PATCH …/services/<service> with {"settings": {"port": ${others[0]}}}.`
        : `Have the server listen on 0.0.0.0 at ${told}; its log says how far it came. One that needs longer gets it by startTimeoutMs.`;
    }
    case 'exited':
      return exitCode === killedCode
        ? 'It was killed, mostly for its memory: choose a machineType with more of it, and look at its log.'
        : "Look at its log, at the image's ENTRYPOINT and CMD, and at the service's command, args and env.";
    case 'loopback-only':
      return 'Listen on 0.0.0.0: 127.0.0.1 is the inside of the container alone.';
    case 'start-failed':
      return "Look at the image's ENTRYPOINT and CMD, and at the service's command, args and volumes.";
  }
}

/** Where it listened in place of its port, after a comma; empty where that is not known. */
export function elsewhere({ others = [] }: StartFailure): string {
  if (others.length === 0) return '';
  const shown = others.slice(0, 5).join(', ');
  return `, but its server listens at port ${shown}${others.length > 5 ? ' and others' : ''}`;
}

/** A start that failed, in the words of the gateway's own errors. */
export function startFailureAnswer(failure: StartFailure): ContractAnswer {
  const code = failure.exitCode === undefined ? '' : ` Its exit code was ${failure.exitCode}.`;
  const dial = failure.dial ? ` (${failure.dial})` : '';
  const message = `${what[failure.reason]}${elsewhere(failure)}.${code}${dial}`;
  const body = { code: 'FUNCTION_NOT_STARTED', message, hint: startHint(failure) };
  return {
    status: 502,
    headers: { 'content-type': 'application/json' },
    body: `${JSON.stringify(body)}\n`,
  };
}
