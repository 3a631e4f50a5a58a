import { RegistryError } from '../../../src/oci/errors.ts';

/** Codes of S3 and of what speaks it, for a full disk, bucket or quota. */
const full = new Set([
  'InsufficientStorage',
  'QuotaExceeded',
  'StorageFull',
  'XMinioStorageFull',
  'XMinioAdminBucketQuotaExceeded',
]);

interface ServiceFailure {
  readonly name?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
}

/** The code of S3's answer (`NoSuchKey`), or the name of what else failed (`TimeoutError`). */
export function codeOf(error: unknown): string {
  return (error as ServiceFailure | null)?.name ?? 'Error';
}

export function statusOf(error: unknown): number | undefined {
  return (error as ServiceFailure | null)?.$metadata?.httpStatusCode;
}

/** An object that is not there. HEAD has no body, so its error has only the status. */
export function isMissing(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'NoSuchKey' || code === 'NotFound';
}

export function isMissingUpload(error: unknown): boolean {
  return codeOf(error) === 'NoSuchUpload';
}

/** What the port promises: `storage-full` for a full bucket, `unavailable` for anything else. */
export function translate(error: unknown): RegistryError {
  if (error instanceof RegistryError) return error;
  return new RegistryError(
    full.has(codeOf(error)) || statusOf(error) === 507
      ? {
          kind: 'storage-full',
          message: 'The registry has no space left for blobs.',
          hint: 'Ask the operator to raise the quota or to free space in the bucket, then push again.',
        }
      : {
          kind: 'unavailable',
          message: `The blob store failed (${codeOf(error)}).`,
          hint: 'Try again in a moment; if it stays, the operator finds the cause in the log.',
        },
    { cause: error },
  );
}

export async function translated<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw translate(error);
  }
}
