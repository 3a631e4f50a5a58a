import { RegistryError, refuse } from '../../src/oci/errors.ts';

/** serialization_failure, deadlock_detected, lock_not_available. */
const conflicts = ['40001', '40P01', '55P03'];
const foreignKey = '23503';
const diskFull = '53100';

/** Of a transaction that has to be run again, whole. */
export function isConflict(error: unknown): boolean {
  return conflicts.includes((error as { code?: string }).code ?? '') || isStalePlan(error);
}

/**
 * A newer program has added a column to a table of which a prepared statement takes all: this connection never runs
 * it again ("cached plan must not change result type", which other refusals of that code are not).
 */
export function isStalePlan(error: unknown): boolean {
  const { code, routine } = error as { code?: string; routine?: string };
  return code === '0A000' && routine === 'RevalidateCachedQuery';
}

/** What a client may be told: a refusal as it is, a failure of the database without its inside. */
export function toRefusal(error: unknown): RegistryError {
  if (error instanceof RegistryError) return error;
  const { code = '' } = error as { code?: string };
  const make = (
    kind: 'storage-full' | 'name-unknown' | 'unavailable',
    text: string,
    hint: string,
  ) =>
    new RegistryError(
      { ...refuse(kind, text, hint).info, detail: { cause: (error as Error).message } },
      { cause: error },
    );
  if (code === diskFull) {
    return make(
      'storage-full',
      'The registry has no room left to record this.',
      'The operator must free space; then try again.',
    );
  }
  if (code === foreignKey) {
    return make(
      'name-unknown',
      'What this belongs to was deleted meanwhile.',
      'Check that the repository is still there, and try again.',
    );
  }
  return make('unavailable', 'The database could not be asked now.', 'Try again.');
}
