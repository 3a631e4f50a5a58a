import { sql } from 'kysely';
import type { Digest } from '../../../src/oci/digest.ts';
import type { RetentionStore } from '../../../src/ports/retention.ts';
import { underWay } from '../commands/deployment-rows.ts';
import { type Executor, query, then } from '../database.ts';

const ruled = query<
  { after: string; limit: number },
  { id: string; own: string; inherited: string }
>((db, p) =>
  db
    .selectFrom('repositories as r')
    .innerJoin('projects as j', 'j.id', 'r.project_id')
    .select(['r.id', 'r.rules as own', 'j.rules as inherited'])
    .where('r.id', '>', p('after'))
    .orderBy('r.id')
    .limit(p('limit')),
);
/** Repositories of one read. */
const looked = 1_000;
const hasRetention = (rules: string) => rules.includes('"retention"');

/** Few have rules: all are looked at, range by range, and others are let through between two. */
async function withRules(db: Executor, after: string, limit: number): Promise<string[]> {
  const found: string[] = [];
  for (let last = after; ; ) {
    const rows = await ruled.all(db, { after: last, limit: looked });
    for (const { id, own, inherited } of rows) {
      if (found.length < limit && (hasRetention(own) || hasRetention(inherited))) found.push(id);
    }
    if (found.length === limit || rows.length < looked) return found;
    last = rows.at(-1)!.id;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

interface Page {
  repository: string;
  after: string;
  limit: number;
}
const manifests = query<
  Page,
  {
    digest: string;
    size: number;
    subject: string | null;
    pushed_at: number;
    pulled_at: number | null;
  }
>((db, p) =>
  db
    .selectFrom('manifests')
    .select(['digest', 'size', 'subject', 'pushed_at', 'pulled_at'])
    .where('repository_id', '=', p('repository'))
    .where('digest', '>', p('after'))
    .orderBy('digest')
    .limit(p('limit')),
);
const tags = query<Page, { name: string; digest: string; updated_at: number }>((db, p) =>
  db
    .selectFrom('tags')
    .select(['name', 'digest', 'updated_at'])
    .where('repository_id', '=', p('repository'))
    .where('name', '>', p('after'))
    .orderBy('name')
    .limit(p('limit')),
);
const parts = query<
  { repository: string; digest: string; child: string; kind: string; limit: number },
  { digest: string; child: string; kind: string; size: number | null }
>((db, p) =>
  db
    .selectFrom('manifest_references as f')
    .leftJoin('blobs as b', 'b.digest', 'f.child')
    .select(['f.digest', 'f.child', 'f.kind', 'b.size'])
    .where('f.repository_id', '=', p('repository'))
    .where(
      sql<boolean>`(f.digest, f.child, f.kind) > (${p('digest')}, ${p('child')}, ${p('kind')})`,
    )
    .orderBy('f.digest')
    .orderBy('f.child')
    .orderBy('f.kind')
    .limit(p('limit')),
);
const pinned = query<{ repository: string; states: string }, { digest: string }>(
  (db, p, dialect) =>
    db
      .selectFrom('deployment_services as s')
      .innerJoin('deployments as d', 'd.id', 's.deployment_id')
      .leftJoin('environment_pointers as e', 'e.deployment_id', 's.deployment_id')
      .select('s.digest')
      .distinct()
      .where('s.repository_id', '=', p('repository'))
      .where((e) =>
        e.or([
          e('e.deployment_id', 'is not', null),
          e(
            'd.state',
            'in',
            e.selectFrom(dialect.elements(p('states')).as('wanted')).select('wanted.value'),
          ),
        ]),
      ) as never,
);

export function retentionStore(db: Executor): RetentionStore {
  return {
    repositories: (after = '', limit) => withRules(db, after, limit),
    manifests: (repository, after, limit) =>
      then(manifests.all(db, { repository, after: after ?? '', limit }), (rows) =>
        rows.map((row) => ({
          digest: row.digest as Digest,
          size: row.size,
          subject: (row.subject as Digest | null) ?? undefined,
          pushedAt: row.pushed_at,
          usedAt: row.pulled_at ?? undefined,
        })),
      ),
    tags: (repository, after, limit) =>
      then(tags.all(db, { repository, after: after ?? '', limit }), (rows) =>
        rows.map((row) => ({
          name: row.name,
          digest: row.digest as Digest,
          setAt: row.updated_at,
        })),
      ),
    parts: (repository, after, limit) =>
      then(
        parts.all(db, {
          ...{ repository, limit },
          ...{ digest: after?.digest ?? '', child: after?.child ?? '', kind: after?.kind ?? '' },
        }),
        (rows) =>
          rows.map((row) => ({
            digest: row.digest as Digest,
            child: row.child as Digest,
            kind: row.kind as 'blob' | 'manifest',
            size: row.kind === 'blob' ? (row.size ?? 0) : 0,
          })),
      ),
    pinned: (repository) =>
      then(pinned.all(db, { repository, states: JSON.stringify(underWay) }), (rows) =>
        rows.map(({ digest }) => digest as Digest),
      ),
  };
}
