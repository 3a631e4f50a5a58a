/**
 * Mistakes that collection must not have, each planted between the gates and the real stores (SQLite and a folder),
 * and the cases that have to notice it.
 */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { BlobStore } from '../../../src/ports/blob-store.ts';
import type { CommandName, Commands, CommandWriter } from '../../../src/ports/commands.ts';
import { blobLeaseMs, type LinkKey } from '../../../src/ports/commands-collection.ts';
import type { Metadata } from '../../../src/ports/metadata.ts';
import { instead } from '../../../src/registry/registry-test-kit.ts';
import type { Planted } from './barrier-world.ts';

export interface PlantedBug {
  readonly name: string;
  /** Each of these cases must fail. */
  readonly noticedBy: readonly string[];
  plant(): Planted;
}

interface Around {
  /** Statements beside the commands, on a connection of its own. */
  readonly sql: (text: string, ...values: (string | number)[]) => Record<string, unknown>[];
  readonly real: Metadata;
  readonly store: () => BlobStore;
}
type Changed = {
  [N in CommandName]?: (
    args: Commands[N]['args'],
    run: (args: Commands[N]['args']) => Promise<Commands[N]['result']>,
    around: Around,
  ) => Promise<Commands[N]['result']>;
};

/** The commands, some of them otherwise. */
function commands(changed: Changed): () => Planted {
  return () => ({
    metadata(real, folder, store) {
      const db = new DatabaseSync(join(folder, 'gantry.db'), { timeout: 5_000 });
      const around: Around = {
        ...{ real, store },
        sql: (text, ...values) => db.prepare(text).all(...values) as Record<string, unknown>[],
      };
      const run = (name: CommandName, args: never, fence: never) => {
        const other = changed[name] as unknown as
          | ((args: never, run: (args: never) => unknown, around: Around) => unknown)
          | undefined;
        const asIs = (given: never) => real.writer.run(name, given, fence);
        return other ? other(args, asIs, around) : asIs(args);
      };
      return {
        ...real,
        writer: instead(real.writer, { run: run as CommandWriter['run'] }),
        async close() {
          db.close();
          await real.close();
        },
      };
    },
  });
}

/** Runs a command, and leaves the lease of the link as it was. */
async function withoutLease<T>(
  { repositoryId, digest }: LinkKey,
  run: () => Promise<T>,
  { sql }: Around,
): Promise<T> {
  const at = 'where repository_id = ? and digest = ?';
  const [before] = sql(`select leased_until from blob_links ${at}`, repositoryId, digest);
  const result = await run();
  const until = Number(before?.leased_until ?? 0);
  sql(`update blob_links set leased_until = ? ${at}`, until, repositoryId, digest);
  return result;
}

/** Keys of collected blobs by digest, for a bug that remembers them. */
const collected = new Map<string, string>();

export const plantedBugs: readonly PlantedBug[] = [
  {
    name: 'HEAD renews no lease',
    noticedBy: ['HEAD', 'HEAD, then the manifest'],
    plant: commands({ RenewLease: async () => ({ renewed: true }) }),
  },
  {
    name: 'HEAD renews by a clock that is a day behind',
    noticedBy: ['HEAD'],
    plant: commands({ RenewLease: (args, run) => run({ ...args, now: args.now - blobLeaseMs }) }),
  },
  {
    name: 'HEAD answers that a blob is there whose link went meanwhile',
    noticedBy: ['HEAD'],
    plant: commands({
      RenewLease: async (args, run) => {
        await run(args);
        return { renewed: true };
      },
    }),
  },
  {
    name: 'a mount renews no lease',
    noticedBy: ['a mount of what is linked already', 'a mount, then the manifest'],
    plant: commands({
      LinkBlob: (args, run, around) => withoutLease(args, () => run(args), around),
    }),
  },
  {
    name: 'a mount links what it saw before, though it was taken meanwhile',
    noticedBy: ['a mount'],
    plant: () => {
      const seen = new Map<string, NonNullable<Commands['LinkBlob']['result']>>();
      return {
        metadata: (real) => ({
          ...real,
          blobs: instead(real.blobs, {
            find: async (repositoryId, digest) => {
              const row = await real.blobs.find(repositoryId, digest);
              if (row) seen.set(digest, row);
              return row;
            },
          }),
          writer: instead(real.writer, {
            run: (async (name: CommandName, args: never) => {
              const result = await real.writer.run(name, args);
              const { digest } = args as { digest: string };
              return name === 'LinkBlob' ? (result ?? seen.get(digest)) : result;
            }) as CommandWriter['run'],
          }),
        }),
      };
    },
  },
  {
    name: 'the end of an upload renews no lease',
    noticedBy: ['the end of an upload'],
    plant: commands({
      FinishUpload: (args, run, around) => withoutLease(args, () => run(args), around),
    }),
  },
  {
    name: 'leases are not looked at again when links are taken',
    noticedBy: ['HEAD', 'a mount of what is linked already', 'the end of an upload'],
    plant: commands({
      CollectLinks: (args, run) => run({ ...args, now: Number.MAX_SAFE_INTEGER }),
    }),
  },
  {
    name: 'leases are compared with a clock that is a day ahead',
    noticedBy: ['HEAD', 'the end of an upload'],
    plant: commands({
      CollectLinks: (args, run) => run({ ...args, now: args.now + blobLeaseMs + 1 }),
    }),
  },
  {
    name: 'leases are compared with a clock that is a year behind',
    noticedBy: ['HEAD', 'DELETE of a manifest'],
    plant: commands({
      CollectLinks: (args, run) => run({ ...args, now: args.now - 365 * blobLeaseMs }),
    }),
  },
  {
    name: 'manifests are not looked at again when links are taken',
    noticedBy: ['PUT of a manifest'],
    plant: commands({
      CollectLinks: async (args, run, { sql }) => {
        const done = await run(args);
        for (const { repositoryId, digest } of args.links) {
          sql(
            'delete from blob_links where repository_id = ? and digest = ? and leased_until < ?',
            ...[repositoryId, digest, args.now],
          );
        }
        return done;
      },
    }),
  },
  {
    name: 'links are not looked at again when blobs are taken',
    noticedBy: ['a mount', 'the end of an upload to another repository'],
    plant: commands({
      CollectBlobs: async (args, run, { sql }) => {
        const done = await run(args);
        for (const digest of args.digests) {
          sql(
            'insert into discarded_keys (key, due_at) select key, 0 from blobs where digest = ?',
            digest,
          );
          sql('delete from blobs where digest = ?', digest);
        }
        return done;
      },
    }),
  },
  {
    name: 'bytes go before the row does, without a tombstone',
    noticedBy: ['a mount', 'the end of an upload to another repository'],
    plant: commands({
      CollectBlobs: async (args, run, { sql, store }) => {
        for (const digest of args.digests) {
          const [row] = sql('select key from blobs where digest = ?', digest);
          if (row) await store().delete(String(row.key));
        }
        return run(args);
      },
    }),
  },
  {
    name: 'a digest that is pushed again takes its old key, whose tombstone stays',
    noticedBy: ['the end of an upload'],
    plant: commands({
      CollectBlobs: (args, run, { sql }) => {
        for (const digest of args.digests) {
          const [row] = sql('select key from blobs where digest = ?', digest);
          if (row) collected.set(digest, String(row.key));
        }
        return run(args);
      },
      FinishUpload: async (args, run, { sql }) => {
        const result = await run(args);
        const key = collected.get(args.digest);
        const [waits] = key ? sql('select key from discarded_keys where key = ?', key) : [];
        if (!waits || !key) return result;
        sql('insert into discarded_keys (key, due_at) values (?, 0)', args.id);
        sql('update blobs set key = ? where digest = ?', key, args.digest);
        return result;
      },
    }),
  },
  {
    name: 'the delay of tombstones is ignored',
    noticedBy: ['the delay before bytes go'],
    plant: () => ({
      metadata: (real) => ({
        ...real,
        blobs: instead(real.blobs, {
          discardedKeys: (limit) => real.blobs.discardedKeys(limit),
        }),
      }),
    }),
  },
  {
    name: 'tombstones are forgotten, and their bytes stay',
    noticedBy: ['DELETE of a manifest'],
    plant: () => ({ store: (real) => instead(real, { delete: async () => {} }) }),
  },
  {
    name: 'a manifest is taken without a look at what it names',
    noticedBy: ['PUT of a manifest', 'DELETE of a blob and PUT of a manifest that names it'],
    plant: commands({
      PutManifest: (args, run) =>
        run({ ...args, blobs: [], optionalBlobs: [...args.blobs, ...args.optionalBlobs] }),
    }),
  },
  {
    name: 'a blob is deleted without a look at the manifests',
    noticedBy: [
      'DELETE of a blob that is named',
      'DELETE of a blob and PUT of a manifest that names it',
    ],
    plant: commands({
      UnlinkBlob: async ({ repositoryId, digest }, _run, { sql }) => {
        sql('delete from blob_links where repository_id = ? and digest = ?', repositoryId, digest);
        return null;
      },
    }),
  },
];
