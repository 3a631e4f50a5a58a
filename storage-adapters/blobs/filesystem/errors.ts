import { RegistryError } from '../../../src/oci/errors.ts';

const full = new Set(['ENOSPC', 'EDQUOT']);

export function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | null)?.code;
}

/** What the port promises: `storage-full` for a full disk or quota, `unavailable` for anything else. */
export function translate(error: unknown): RegistryError {
  if (error instanceof RegistryError) return error;
  const code = codeOf(error);
  return new RegistryError(
    code !== undefined && full.has(code)
      ? {
          kind: 'storage-full',
          message: 'The registry has no space left for blobs.',
          hint: 'Ask the operator to free or add disk space, then push again.',
        }
      : {
          kind: 'unavailable',
          message: `The blob store failed${code ? ` (${code})` : ''}.`,
          hint: 'Try again in a moment; if it stays, the operator finds the cause in the log.',
        },
    { cause: error },
  );
}

/** Awaits `work`, its failures in the port's words. */
export async function translated<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw translate(error);
  }
}
