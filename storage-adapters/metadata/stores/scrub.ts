import { sql } from 'kysely';
import type { Digest } from '../../../src/oci/digest.ts';
import type { BlobFault, ScrubCandidate, ScrubRun, ScrubStore } from '../../../src/ports/scrub.ts';
import { type Executor, query, then } from '../database.ts';
import { removedProject } from '../removed-place.ts';
import type { Builder } from '../schema.ts';
import type { ScrubSchema } from '../schema-scrub.ts';

interface CandidateRow {
  digest: string;
  key: string;
  size: number;
  quarantined_at: number | null;
  fault: string | null;
}
interface Due {
  before: number;
  retryBefore: number;
  limit: number;
}
const candidates = (db: Builder, p: <K extends keyof Due>(name: K) => Due[K]) =>
  db
    .selectFrom('blobs as b')
    .leftJoin('blob_faults as f', 'f.digest', 'b.digest')
    .select(['b.digest', 'b.key', 'b.size', 'b.quarantined_at', 'f.kind as fault'])
    .where('b.verified_at', '<', p('before'))
    .where((e) => e.or([e('f.digest', 'is', null), e('f.seen_at', '<', p('retryBefore'))]));
const due = query<Due, CandidateRow>((db, p) =>
  candidates(db, p).orderBy('b.verified_at').orderBy('b.digest').limit(p('limit')),
);
const dueIn = query<Due & { repository: string; after: string }, CandidateRow>((db, p) =>
  candidates(db, p)
    .innerJoin('blob_links as l', 'l.digest', 'b.digest')
    .where('l.repository_id', '=', p('repository'))
    .where('l.digest', '>', p('after'))
    .orderBy('l.digest')
    .limit(p('limit')),
);
const running = query<object, ScrubSchema['scrub_runs']>((db) =>
  db.selectFrom('scrub_runs').selectAll().where('state', '=', 'running').limit(1),
);
const runById = query<{ id: string }, ScrubSchema['scrub_runs']>((db, p) =>
  db.selectFrom('scrub_runs').selectAll().where('id', '=', p('id')),
);
const runs = query<{ limit: number }, ScrubSchema['scrub_runs']>((db, p) =>
  db
    .selectFrom('scrub_runs')
    .selectAll()
    .orderBy('started_at', 'desc')
    .orderBy('id', 'desc')
    .limit(p('limit')),
);
interface CoverageRow {
  blobs: number;
  bytes: number | null;
  due_blobs: number | null;
  due_bytes: number | null;
  oldest: number | null;
}
const coverage = query<{ before: number }, CoverageRow>((db, p) => {
  const isDue = sql`verified_at < ${p('before')}`;
  return db
    .selectFrom('blobs')
    .select((e) => [
      e.fn.countAll<number>().as('blobs'),
      e.fn.sum<number>('size').as('bytes'),
      sql<number>`sum(case when ${isDue} then 1 else 0 end)`.as('due_blobs'),
      sql<number>`sum(case when ${isDue} then size else 0 end)`.as('due_bytes'),
      e.fn.min<number | null>('verified_at').as('oldest'),
    ]) as never;
});
const counts = query<object, { quarantined: number; unreadable: number; manifests: number }>(
  (db) => {
    const ofKind = (kind: string) =>
      sql<number>`(select count(*) from blob_faults where kind = ${sql.lit(kind)})`;
    const manifests = sql<number>`(select count(*) from damaged_manifests as d where exists
      (select 1 from manifests as m where m.digest = d.digest))`;
    return db.selectNoFrom([
      ofKind('quarantined').as('quarantined'),
      ofKind('unreadable').as('unreadable'),
      manifests.as('manifests'),
    ]);
  },
);
const faults = query<{ after: string; limit: number }, ScrubSchema['blob_faults']>((db, p) =>
  db
    .selectFrom('blob_faults')
    .selectAll()
    .where('digest', '>', p('after'))
    .orderBy('digest')
    .limit(p('limit')),
);
const damaged = query<{ limit: number }, { digest: string; found_at: number }>((db, p) =>
  db
    .selectFrom('damaged_manifests as d')
    .select(['d.digest', 'd.found_at'])
    .where((e) =>
      e.exists(
        e.selectFrom('manifests as m').select('m.digest').whereRef('m.digest', '=', 'd.digest'),
      ),
    )
    .orderBy('d.digest')
    .limit(p('limit')),
);
/** Repositories that a fault names: enough to know whom it concerns. */
const mostNames = 10;
const path = sql<string>`t.slug || '/' || j.slug || '/' || r.name`;
const linking = query<{ digest: string }, { path: string }>((db, p) =>
  db
    .selectFrom('blob_links as l')
    .innerJoin('repositories as r', 'r.id', 'l.repository_id')
    .innerJoin('projects as j', 'j.id', 'r.project_id')
    .innerJoin('teams as t', 't.id', 'j.team_id')
    .select(path.as('path'))
    .where('l.digest', '=', p('digest'))
    .where('r.project_id', '!=', removedProject)
    .orderBy('l.repository_id')
    .limit(mostNames),
);
const holding = query<{ digest: string }, { path: string }>((db, p) =>
  db
    .selectFrom('manifests as m')
    .innerJoin('repositories as r', 'r.id', 'm.repository_id')
    .innerJoin('projects as j', 'j.id', 'r.project_id')
    .innerJoin('teams as t', 't.id', 'j.team_id')
    .select(path.as('path'))
    .where('m.digest', '=', p('digest'))
    .where('r.project_id', '!=', removedProject)
    .orderBy('m.repository_id')
    .limit(mostNames),
);
const manifests = query<{ after: string; limit: number }, { digest: string; bytes: Uint8Array }>(
  (db, p) =>
    db
      .selectFrom('manifest_contents')
      .select(['digest', 'bytes'])
      .where('digest', '>', p('after'))
      .orderBy('digest')
      .limit(p('limit')),
);
const manifestsIn = query<
  { repository: string; after: string; limit: number },
  { digest: string; bytes: Uint8Array }
>((db, p) =>
  db
    .selectFrom('manifests as m')
    .innerJoin('manifest_contents as c', 'c.digest', 'm.digest')
    .select(['c.digest', 'c.bytes'])
    .where('m.repository_id', '=', p('repository'))
    .where('m.digest', '>', p('after'))
    .orderBy('m.digest')
    .limit(p('limit')),
);
const note = query<{ name: string }, { value: string }>((db, p) =>
  db.selectFrom('scrub_state').select('value').where('name', '=', p('name')),
);

const toCandidate = (row: CandidateRow): ScrubCandidate => ({
  digest: row.digest as Digest,
  key: row.key,
  size: row.size,
  quarantined: row.quarantined_at !== null,
  unreadable: row.fault === 'unreadable',
});

export function toRun(row: ScrubSchema['scrub_runs']): ScrubRun {
  const { id, actor, blobs, bytes, quarantined, repaired, unreadable, manifests: read } = row;
  return {
    ...{ id, actor, blobs, bytes, quarantined, repaired, unreadable, manifests: read },
    repositoryId: row.repository_id ?? undefined,
    repository: row.repository ?? undefined,
    state: row.state as ScrubRun['state'],
    startedAt: row.started_at,
    endedAt: row.ended_at ?? undefined,
    total: { blobs: row.total_blobs, bytes: row.total_bytes },
  };
}

export function scrubStore(db: Executor): ScrubStore {
  const names = async (of: typeof linking, digest: string) =>
    (await of.all(db, { digest })).map((row) => row.path);
  return {
    due: (before, retryBefore, limit) =>
      then(due.all(db, { before, retryBefore, limit }), (rows) => rows.map(toCandidate)),
    dueIn: (repository, after, before, retryBefore, limit) =>
      then(dueIn.all(db, { repository, after: after ?? '', before, retryBefore, limit }), (rows) =>
        rows.map(toCandidate),
      ),
    running: () => then(running.get(db, {}), (row) => row && toRun(row)),
    run: (id) => then(runById.get(db, { id }), (row) => row && toRun(row)),
    runs: (limit) => then(runs.all(db, { limit }), (rows) => rows.map(toRun)),
    coverage: (before) =>
      then(coverage.get(db, { before }), (row) => ({
        blobs: row?.blobs ?? 0,
        bytes: row?.bytes ?? 0,
        dueBlobs: row?.due_blobs ?? 0,
        dueBytes: row?.due_bytes ?? 0,
        oldest: row?.oldest ?? undefined,
      })),
    counts: () =>
      then(counts.get(db, {}), (row) => row ?? { quarantined: 0, unreadable: 0, manifests: 0 }),
    async faults(after, limit) {
      const rows = await faults.all(db, { after: after ?? '', limit });
      return Promise.all(
        rows.map(
          async (row): Promise<BlobFault> => ({
            digest: row.digest as Digest,
            kind: row.kind as BlobFault['kind'],
            reason: row.reason,
            size: row.size,
            key: row.key,
            foundAt: row.found_at,
            seenAt: row.seen_at,
            repositories: await names(linking, row.digest),
          }),
        ),
      );
    },
    async damagedManifests(limit) {
      const rows = await damaged.all(db, { limit });
      return Promise.all(
        rows.map(async ({ digest, found_at: foundAt }) => ({
          ...{ digest: digest as Digest, foundAt },
          repositories: await names(holding, digest),
        })),
      );
    },
    manifests(after = '' as Digest, limit, repository) {
      const rows =
        repository === undefined
          ? manifests.all(db, { after, limit })
          : manifestsIn.all(db, { after, limit, repository });
      return then(rows, (found) =>
        found.map(({ digest, bytes }) => ({
          digest: digest as Digest,
          bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
        })),
      );
    },
    note: (name) => then(note.get(db, { name }), (row) => row?.value),
  };
}
