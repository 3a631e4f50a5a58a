import { RuntimeError, type RuntimeFailure } from '../../ports/runtime-driver.ts';
import { EngineError } from './engine.ts';

/** The engine's refusal as the port names it; other errors go on as they are. */
export function refused(
  error: unknown,
  byStatus: Partial<Record<number, RuntimeFailure>>,
): unknown {
  if (!(error instanceof EngineError)) return error;
  const failure = isDiskFull(error.message)
    ? 'disk-full'
    : (byStatus[error.status] ?? 'unavailable');
  return new RuntimeError(failure, error.message, { cause: error });
}

export function hasStatus(error: unknown, ...statuses: number[]): error is EngineError {
  return error instanceof EngineError && statuses.includes(error.status);
}

export function isDiskFull(message: string): boolean {
  return /no space left on device|disk quota exceeded/i.test(message);
}

export function noSuchInstance(id: string): RuntimeError {
  return new RuntimeError('no-such-instance', `The engine has no container ${id}.`);
}

/** A start answers 404 for a program that is not in the image, too. */
export function isAbsent(error: unknown): boolean {
  return hasStatus(error, 404) && /no such container/i.test((error as Error).message);
}

/** An engine that is reached by a socket here, and does not see this machine's files. */
export function withHint(error: unknown): unknown {
  if (!hasStatus(error, 400) || !/bind source path does not exist/i.test(error.message))
    return error;
  const hint = 'Where the engine runs on another machine, name it by tcp:// (GANTRY_DOCKER_HOST).';
  return new EngineError(error.status, `${error.message}. ${hint}`);
}
