import { RegistryError, refuse } from '../oci/errors.ts';
import { RuntimeError, type RuntimeFailure } from '../ports/runtime-driver.ts';
import { DeployRefusal } from '../scheduler/deployments/reasons.ts';

const kinds: Partial<
  Record<RuntimeFailure, 'not-found' | 'invalid' | 'conflict' | 'storage-full'>
> = {
  'no-such-path': 'not-found',
  'invalid-spec': 'invalid',
  'no-such-platform': 'invalid',
  'no-such-image': 'conflict',
  'no-such-instance': 'conflict',
  'start-failed': 'conflict',
  'disk-full': 'storage-full',
};

/** What the engine, or a check of a deploy, refused, in the API's words. */
export function toRefusal(error: unknown): unknown {
  if (error instanceof DeployRefusal) return refuse('conflict', error.message, error.reason.hint);
  if (!(error instanceof RuntimeError)) return error;
  const kind = kinds[error.failure] ?? 'unavailable';
  return refuse(kind, error.message, '');
}

export const ended = (reason: string | undefined) =>
  refuse(
    'conflict',
    `The sandbox has ended: ${reason ?? 'stopped'}.`,
    'Create another: POST …/sandboxes.',
  );

export const reasonOf = (error: unknown): string =>
  error instanceof RuntimeError || error instanceof RegistryError || error instanceof DeployRefusal
    ? error.message.slice(0, 500)
    : 'the server failed';

export const exited = (code: number | undefined): string =>
  code === undefined ? 'its process ended' : `its process ended with code ${code}`;
