import type { ExpressionBuilder } from 'kysely';
import type { Schema } from './schema.ts';

/** Of rows of deleted manifests: those that the repository does not hold again, by another push. */
export const notThere = (e: ExpressionBuilder<Schema, 'deleted_manifests'>) =>
  e.not(
    e.exists(
      e
        .selectFrom('manifests as live')
        .select('live.digest')
        .whereRef('live.repository_id', '=', 'deleted_manifests.repository_id')
        .whereRef('live.digest', '=', 'deleted_manifests.digest'),
    ),
  );
