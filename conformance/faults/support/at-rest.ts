import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** What is wrong in a data folder that no server uses. Each is a sentence. */
export interface AtRest {
  /** Rows and bytes that do not agree. */
  readonly problems: readonly string[];
  /** Files of the blob store that no row names. */
  readonly unnamed: readonly string[];
  readonly uploads: number;
  readonly discarded: number;
}

/** Rows that promise what other rows do not hold: a name, and a query that must find nothing. */
const contradictions: Readonly<Record<string, string>> = {
  'a tag without its manifest': `select t.name from tags t left join manifests m
     on m.repository_id = t.repository_id and m.digest = t.digest where m.digest is null`,
  'a manifest without its bytes': `select m.digest from manifests m
     left join manifest_contents c on c.digest = m.digest where c.digest is null`,
  'bytes of a manifest that no repository has': `select c.digest from manifest_contents c
     left join manifests m on m.digest = c.digest where m.digest is null`,
  'a manifest without a blob that it names': `select r.child from manifest_references r
     left join blob_links l on l.repository_id = r.repository_id and l.digest = r.child
     where r.kind = 'blob' and l.digest is null`,
  'an index without a manifest that it names': `select r.child from manifest_references r
     left join manifests m on m.repository_id = r.repository_id and m.digest = r.child
     where r.kind = 'manifest' and m.digest is null`,
  'a reference of a manifest that is gone': `select r.child from manifest_references r
     left join manifests m on m.repository_id = r.repository_id and m.digest = r.digest
     where m.digest is null`,
  'a link to a blob that is gone': `select l.digest from blob_links l
     left join blobs b on b.digest = l.digest where b.digest is null`,
  'a key that is a blob and an upload': 'select b.key from blobs b join uploads u on u.id = b.key',
  'a key that is a blob and discarded':
    'select b.key from blobs b join discarded_keys d on d.key = b.key',
  'a wrong count of tags': `select name from repositories r where tag_count !=
     (select count(*) from tags t where t.repository_id = r.id)`,
  'a wrong count of images': `select name from repositories r where image_count !=
     (select count(*) from manifests m where m.repository_id = r.id)`,
  'events that are missing': `select name from repositories r where event_sequence !=
     (select count(*) from outbox o where o.stream_id = r.id) +
     (select count(*) from events e where e.stream_id = r.id)`,
  'events that were moved and not taken from the outbox': `select e.id from events e
     join outbox o on o.stream_id = e.stream_id and o.sequence = e.sequence`,
};

/** Looks at the folder of a server that has ended, in whatever way. */
export function inspectAtRest(data: string): AtRest {
  const files = blobFiles(join(data, 'blobs'));
  const db = new DatabaseSync(join(data, 'gantry.db'), { readOnly: true });
  try {
    const problems = Object.entries(contradictions).flatMap(([what, query]) =>
      db
        .prepare(query)
        .all()
        .map((row) => `${what}: ${Object.values(row).join(' ')}`),
    );
    const blobs = db.prepare('select key, size from blobs').all() as {
      key: string;
      size: number;
    }[];
    const uploads = db.prepare('select id as key, bytes_taken as size from uploads').all() as {
      key: string;
      size: number;
    }[];
    const discarded = db.prepare('select key from discarded_keys').all() as { key: string }[];
    for (const { key, size } of blobs) {
      if (files.get(key) !== size)
        problems.push(`the blob ${key} has ${size} bytes, its file ${files.get(key)}`);
    }
    for (const { key, size } of uploads) {
      if ((files.get(key) ?? 0) < size)
        problems.push(`the upload ${key} has ${size} bytes, its file ${files.get(key)}`);
    }
    const named = new Set([...blobs, ...uploads, ...discarded].map(({ key }) => key));
    return {
      problems,
      unnamed: [...files.keys()].filter((key) => !named.has(key)),
      uploads: uploads.length,
      discarded: discarded.length,
    };
  } finally {
    db.close();
  }
}

/** Rows of uploads, and of bytes to be removed; a server may be running. */
export function countUnfinished(data: string): number {
  const db = new DatabaseSync(join(data, 'gantry.db'), { readOnly: true });
  try {
    const query =
      'select (select count(*) from uploads) + (select count(*) from discarded_keys) as n';
    return Number(db.prepare(query).get()!.n);
  } finally {
    db.close();
  }
}

/** SQLite's own check of the whole file; empty where all is well. */
export function checkIntegrity(data: string): string[] {
  const db = new DatabaseSync(join(data, 'gantry.db'), { readOnly: true });
  try {
    const rows = db.prepare('pragma integrity_check').all() as { integrity_check: string }[];
    return rows.map((row) => row.integrity_check).filter((text) => text !== 'ok');
  } finally {
    db.close();
  }
}

/** Sizes by name. */
function blobFiles(folder: string): Map<string, number> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true });
  return new Map(
    files
      .filter((entry) => !entry.isDirectory())
      .map((entry) => [entry.name, statSync(join(entry.parentPath, entry.name)).size]),
  );
}
