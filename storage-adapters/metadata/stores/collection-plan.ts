import { sql } from 'kysely';
import type { Digest } from '../../../src/oci/digest.ts';
import type { CollectionPlanStore, DeletedPart } from '../../../src/ports/collection-plan.ts';
import { type Executor, query, then } from '../database.ts';
import { notThere } from '../deleted-rows.ts';
import { removedProject } from '../removed-place.ts';

const repositories = query<{ after: string; limit: number }, { id: string; name: string }>(
  (db, p) =>
    db
      .selectFrom('repositories as r')
      .innerJoin('projects as j', 'j.id', 'r.project_id')
      .innerJoin('teams as t', 't.id', 'j.team_id')
      .select(['r.id', sql<string>`t.slug || '/' || j.slug || '/' || r.name`.as('name')])
      .where('r.id', '>', p('after'))
      .where('r.project_id', '!=', removedProject)
      .orderBy('r.id')
      .limit(p('limit')),
);
const repository = query<{ id: string }, { id: string; name: string }>((db, p) =>
  db
    .selectFrom('repositories as r')
    .innerJoin('projects as j', 'j.id', 'r.project_id')
    .innerJoin('teams as t', 't.id', 'j.team_id')
    .select(['r.id', sql<string>`t.slug || '/' || j.slug || '/' || r.name`.as('name')])
    .where('r.id', '=', p('id'))
    .where('r.project_id', '!=', removedProject),
);
interface DeletedRow {
  digest: string;
  media_type: string;
  artifact_type: string | null;
  platform: string | null;
  size: number;
  subject: string | null;
  parts: string;
  tags: string;
  expires_at: number;
}
const deleted = query<{ repository: string; after: string; limit: number }, DeletedRow>((db, p) =>
  db
    .selectFrom('deleted_manifests')
    .select(['digest', 'media_type', 'artifact_type', 'platform', 'size', 'subject'])
    .select(['parts', 'tags', 'expires_at'])
    .where('repository_id', '=', p('repository'))
    .where('digest', '>', p('after'))
    .where(notThere)
    .orderBy('digest')
    .limit(p('limit')),
);
const links = query<
  { repository: string; after: string; limit: number },
  { digest: string; leased_until: number; named: number | null }
>(
  (db, p) =>
    db
      .selectFrom('blob_links as l')
      .select(['l.digest', 'l.leased_until'])
      .select((e) =>
        e
          .selectFrom('manifest_references as r')
          .select(e.lit(1).as('one'))
          .whereRef('r.repository_id', '=', 'l.repository_id')
          .whereRef('r.child', '=', 'l.digest')
          .where('r.kind', '=', 'blob')
          .limit(1)
          .as('named'),
      )
      .where('l.repository_id', '=', p('repository'))
      .where('l.digest', '>', p('after'))
      .orderBy('l.digest')
      .limit(p('limit')) as never,
);
interface KeeperRow {
  digest: string;
  size: number;
  named: number | null;
  elsewhere: number | null;
}
const keepers = query<{ repository: string; digests: string }, KeeperRow>(
  (db, p, dialect) =>
    db
      .selectFrom('blobs as b')
      .select(['b.digest', 'b.size'])
      .select((e) => [
        e
          .selectFrom('manifest_references as r')
          .select(e.lit(1).as('one'))
          .where('r.repository_id', '=', p('repository'))
          .whereRef('r.child', '=', 'b.digest')
          .where('r.kind', '=', 'blob')
          .limit(1)
          .as('named'),
        e
          .selectFrom('blob_links as l')
          .select(e.lit(1).as('one'))
          .whereRef('l.digest', '=', 'b.digest')
          .where('l.repository_id', '!=', p('repository'))
          .limit(1)
          .as('elsewhere'),
      ])
      .where('b.digest', 'in', (e) =>
        e.selectFrom(dialect.elements(p('digests')).as('wanted')).select('wanted.value'),
      )
      .orderBy('b.digest') as never,
);
interface RunRow {
  id: string;
  started_at: number;
  ended_at: number;
  links: number;
  blobs: number;
  bytes: number;
}
const runs = query<{ limit: number }, RunRow>((db, p) =>
  db
    .selectFrom('collection_runs')
    .selectAll()
    .orderBy('started_at', 'desc')
    .orderBy('id', 'desc')
    .limit(p('limit')),
);

interface Parts {
  readonly blobs: Digest[];
  readonly optionalBlobs: Digest[];
  readonly manifests: Digest[];
}

function toPart(row: DeletedRow): DeletedPart {
  const parts = JSON.parse(row.parts) as Parts;
  return {
    digest: row.digest as Digest,
    mediaType: row.media_type,
    artifactType: row.artifact_type ?? undefined,
    platform: row.platform ?? undefined,
    size: row.size,
    subject: (row.subject as Digest | null) ?? undefined,
    blobs: parts.blobs,
    manifests: parts.manifests,
    tags: JSON.parse(row.tags) as string[],
    expiresAt: row.expires_at,
  };
}

export function collectionPlanStore(db: Executor): CollectionPlanStore {
  return {
    repositories: (after = '', limit) => repositories.all(db, { after, limit }),
    repository: (id) => repository.get(db, { id }),
    deleted: (repository, after, limit) =>
      then(deleted.all(db, { repository, after: after ?? '', limit }), (rows) => rows.map(toPart)),
    loose: (repository, after, now, limit) =>
      then(links.all(db, { repository, after: after ?? '', limit }), (rows) => ({
        last: rows.length < limit ? undefined : (rows.at(-1)!.digest as Digest),
        digests: rows
          .filter((row) => row.named === null && row.leased_until < now)
          .map((row) => row.digest as Digest),
      })),
    keepers: (repository, digests) =>
      then(keepers.all(db, { repository, digests: JSON.stringify(digests) }), (rows) =>
        rows.map((row) => ({
          digest: row.digest as Digest,
          size: row.size,
          kept: row.named !== null || row.elsewhere !== null,
        })),
      ),
    runs: (limit) =>
      then(runs.all(db, { limit }), (rows) =>
        rows.map(({ started_at: startedAt, ended_at: endedAt, ...row }) => ({
          ...row,
          ...{ startedAt, endedAt },
        })),
      ),
  };
}
