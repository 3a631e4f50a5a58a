import { RegistryError } from '../../oci/errors.ts';
import type { DeployedService } from '../../ports/functions.ts';
import { RuntimeError } from '../../ports/runtime-driver.ts';
import { ActivationError } from '../activation.ts';
import type { Contract, ContractAnswer, StartFailure } from '../contracts/contract.ts';
import { elsewhere, startHint } from '../contracts/start-failure.ts';
import { refusalCode, statusOfFailure } from '../refusal-codes.ts';
import { DeadlineError } from '../timers.ts';

/** Texts of every refusal of the pool, in one place. */
export const seconds = (ms: number) => Math.max(1, Math.ceil(ms / 1000));

export function queueFull(info: {
  limit: number;
  atMax: boolean;
  retryMs: number;
}): ActivationError {
  return info.atMax
    ? new ActivationError({
        status: 429,
        code: 'TOO_MANY_REQUESTS',
        message: `All instances are busy, and ${info.limit} requests wait already.`,
        hint: 'Try again later, or raise maxInstances or concurrency of the service.',
        retryAfterSeconds: seconds(info.retryMs),
      })
    : new ActivationError({
        status: 503,
        code: 'QUEUE_FULL',
        message: `Instances are starting, and ${info.limit} requests wait for them already.`,
        hint: 'Try again once they run; minInstances keeps some running.',
        retryAfterSeconds: seconds(info.retryMs),
      });
}

export function queueTimeout(waitedMs: number, retryMs: number): ActivationError {
  return new ActivationError({
    status: 503,
    code: 'QUEUE_TIMEOUT',
    message: `No instance had room for the request within ${seconds(waitedMs)} seconds.`,
    hint: 'Raise maxInstances or concurrency of the service, or its requestTimeoutMs.',
    retryAfterSeconds: seconds(retryMs),
  });
}

export function inBackoff(reason: string, failures: number, ms: number): ActivationError {
  return new ActivationError({
    status: 503,
    code: 'CRASH_BACKOFF',
    message: `The function could not be started ${failures === 1 ? 'just now' : `${failures} times in a row`}: ${reason}`,
    hint: 'Look at its log. The next start is tried once the time of Retry-After is over; a new deployment at once.',
    retryAfterSeconds: seconds(ms),
  });
}

export function pausedService(name: string): ActivationError {
  return new ActivationError({
    status: 503,
    code: 'PAUSED',
    message: `The service ${name} is paused.`,
    hint: 'Resume it by API or on its page.',
  });
}

export function deletedDeployment(id: string): ActivationError {
  return new ActivationError({
    status: 503,
    code: 'DEPLOYMENT_GONE',
    message: `The deployment ${id} was ended.`,
    hint: 'Use the address of its environment.',
  });
}

export function shuttingDown(): ActivationError {
  return new ActivationError({
    status: 503,
    code: 'STOPPING',
    message: 'Gantry is shutting down.',
    hint: 'Try again in a moment.',
    retryAfterSeconds: 5,
  });
}

export function noCapacity(needed: number, limit: number): ActivationError {
  const mb = (bytes: number) => `${Math.round(bytes / 1e6)} MB`;
  return new ActivationError({
    status: 503,
    code: 'NO_CAPACITY',
    message: `An instance needs ${mb(needed)} of memory, and the ${mb(limit)} for functions are in use.`,
    hint: 'Stop other functions, choose a smaller machineType, or raise GANTRY_FUNCTIONS_MEMORY.',
    retryAfterSeconds: 10,
  });
}

export function engineAway(message: string): ActivationError {
  return new ActivationError({
    status: 503,
    code: 'ENGINE_UNAVAILABLE',
    message: `The container engine does not answer: ${message}`,
    hint: 'The operator finds more in the log of Gantry.',
    retryAfterSeconds: 5,
  });
}

/** A container that did not come to listen: what the contract says of it. */
export class StartRefused extends Error {
  readonly failure: StartFailure;
  constructor(failure: StartFailure) {
    super(describeStart(failure));
    this.failure = failure;
  }
}

export function describeStart(failure: StartFailure): string {
  const seconds = Math.round(Number(failure.durationNs) / 1e6) / 1000;
  switch (failure.reason) {
    case 'exited':
      return `the container ended with exit code ${failure.exitCode ?? 'unknown'} after ${seconds} s, before it listened`;
    case 'loopback-only':
      return `its server listens on 127.0.0.1 only (${failure.dial}): it has to listen on 0.0.0.0`;
    case 'start-failed':
      return failure.dial;
    case 'timeout':
      return `nothing listened ${failure.port === undefined ? '' : `at port ${failure.port} `}within ${seconds} s${elsewhere(failure)}: ${failure.dial}`;
  }
}

function notStarted(refused: StartRefused, answer: ContractAnswer): ActivationError {
  return new ActivationError({
    status: 502,
    code: 'FUNCTION_NOT_STARTED',
    message: `The function could not be started: ${refused.message}.`,
    hint: startHint(refused.failure),
    answer,
  });
}

/** Whether the engine, and not the function, is what failed. */
export function isEngineFailure(error: unknown): boolean {
  return (
    error instanceof DeadlineError ||
    (error instanceof RuntimeError && error.failure === 'unavailable')
  );
}

/** What a request is told of a start that failed, in the contract's words where the container ran. */
export function startRefusal(
  error: unknown,
  contract: Contract,
  service: DeployedService,
): ActivationError {
  if (!(error instanceof StartRefused)) return startError(error);
  return notStarted(error, contract.startFailure(error.failure, service));
}

/** What a request is told of a start that failed before the container ran. */
export function startError(error: unknown): ActivationError {
  if (error instanceof ActivationError) return error;
  if (isEngineFailure(error)) return engineAway((error as Error).message);
  if (error instanceof RegistryError) {
    return new ActivationError({
      status: 503,
      code: 'ENVIRONMENT_INVALID',
      message: error.info.message,
      hint: error.info.hint ?? 'Deploy the service again once this is mended.',
    });
  }
  if (error instanceof RuntimeError) {
    const full = error.failure === 'disk-full';
    const badSpec = error.failure === 'invalid-spec';
    const code = refusalCode(error.failure);
    return new ActivationError({
      status: statusOfFailure(code),
      code,
      message: `The function could not be started: ${error.message}`,
      hint: full
        ? 'The disk of the container engine is full: the operator has to make room.'
        : error.failure === 'volume-full'
          ? 'Raise its maxBytes (PATCH …/volumes/<volume>), delete what is not needed, and lower it again.'
          : badSpec
            ? "Look at the image's ENTRYPOINT and CMD, and the service's command, args, machineType and volumes."
            : 'Push or deploy it again.',
      ...(full ? { retryAfterSeconds: 60 } : {}),
    });
  }
  return new ActivationError({
    status: 502,
    code: 'START_FAILED',
    message: 'The function could not be started.',
    hint: 'The operator finds more in the log of Gantry.',
  });
}
