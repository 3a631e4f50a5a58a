import type { Command } from 'commander';
import type { LostBlob } from '../../maintenance/backup/copy.ts';
import type { BackupReport } from '../../maintenance/backup/make-backup.ts';
import type { MoveReport } from '../../maintenance/backup/move.ts';
import type { RestoreOptions, RestoreReport } from '../../maintenance/backup/restore-backup.ts';
import { leaf } from '../command.ts';
import { Refused } from '../refused.ts';
import { showCredentials } from '../restored-credentials.ts';
import { fields, time } from '../table.ts';
import { bytesText } from '../upkeep.ts';

interface MoveOptions {
  readonly toDatabase?: string | undefined;
  readonly toStorage?: string | undefined;
  readonly toData?: string | undefined;
  readonly prepare: boolean;
}

/** What is done to whole installations, by this process and not by the server. */
export interface Upkeep {
  backup(
    target: string,
    options: { readonly blobs: boolean; readonly key: boolean; readonly verify: boolean },
  ): Promise<BackupReport>;
  check(source: string): Promise<RestoreReport>;
  restore(
    source: string,
    options: RestoreOptions,
  ): Promise<RestoreReport & { readonly already: boolean }>;
  move(
    options: MoveOptions,
  ): Promise<MoveReport & { readonly already: boolean; readonly settings: readonly string[] }>;
}

interface Output {
  readonly json?: true;
}

export function addBackupCommands(
  admin: Command,
  upkeep: Upkeep,
  out: (text: string) => void,
): void {
  const print = <T>({ json }: Output, result: T, show: (result: T) => string): void =>
    out(json ? `${JSON.stringify(result, null, 2)}\n` : show(result));

  leaf(
    admin,
    'backup <folder>',
    'copy the whole installation into a folder, while the server runs or stands still. Run it with the settings of the server. Run again, it copies only what is new, and goes on where it was cut off',
    'backup /backups/gantry',
    'backup /backups/gantry --verify',
    'backup /backups/gantry-facts --no-blobs',
  )
    .option(
      '--no-blobs',
      'leave the blobs in the store, and list them: for a bucket that is kept by other means',
    )
    .option('--no-key', 'leave secret.key out: keep it elsewhere, a restore needs it')
    .option('--verify', 'read again what earlier runs copied, and copy anew what was damaged')
    .action(
      async (target: string, options: Output & { blobs: boolean; key: boolean; verify?: true }) => {
        const { blobs, key, verify } = options;
        const report = await upkeep.backup(target, { blobs, key, verify: verify === true });
        print(options, report, (made) => showBackup(made, blobs));
        if (report.blobs?.lost.length > 0) throw lost(report.blobs.lost);
      },
    );

  leaf(
    admin,
    'restore <backup>',
    'fill an empty installation from a backup: an empty data folder, or an empty Postgres database and bucket, as the settings say. Run again, it goes on where it was cut off',
    'restore /backups/gantry --check',
    'restore /backups/gantry',
    'restore /backups/gantry --allow-damaged',
    'restore /backups/gantry --revoke-tokens',
  )
    .option(
      '--no-blobs',
      'only the database: the store of the settings has the blobs, as a bucket that outlived its database',
    )
    .option('--check', 'only read the backup, all of it, and say whether it is whole')
    .option(
      '--allow-damaged',
      'restore what there is, where blobs are missing or damaged: pushing again brings them back',
    )
    .option(
      '--revoke-tokens',
      'revoke all tokens of teams and accounts: after a theft, or where it is not known what was revoked since the backup. New ones: npx gantry admin token create',
    )
    .action(
      async (
        source: string,
        options: Output & {
          blobs: boolean;
          check?: true;
          allowDamaged?: true;
          revokeTokens?: true;
        },
      ) => {
        const report = options.check
          ? { ...(await upkeep.check(source)), already: false }
          : await upkeep.restore(source, {
              blobs: options.blobs,
              allowDamaged: options.allowDamaged === true,
              revokeTokens: options.revokeTokens === true,
            });
        print(options, report, showRestore);
      },
    );

  leaf(
    admin,
    'move',
    'move the installation to another database, and its blobs to another store: from a data folder to Postgres and S3, or back. The source stays as it is. Stop the server first; only --prepare runs beside it. Run again, it goes on where it was cut off',
    'move --prepare --to-database postgres://gantry@db.example.com/gantry --to-storage s3://bucket/gantry',
    'move --to-database postgres://gantry@db.example.com/gantry --to-storage s3://bucket/gantry',
    'move --to-database sqlite --to-storage filesystem --to-data ./new-data',
  )
    .option(
      '--to-database <url>',
      'postgres://user@host/database, without a password (PGPASSWORD has it, or GANTRY_TO_DATABASE_URL the whole URL); or sqlite',
    )
    .option(
      '--to-storage <storage>',
      's3://bucket/prefix, with GANTRY_S3_ENDPOINT and the like; or filesystem',
    )
    .option('--to-data <folder>', 'the new data folder, for sqlite and filesystem')
    .option(
      '--prepare',
      'only copy the blobs that there are, while the server runs: the move is then short',
    )
    .action(async (options: Output & Omit<MoveOptions, 'prepare'> & { prepare?: true }) => {
      const { toDatabase, toStorage, toData, prepare } = options;
      const plan = { toDatabase, toStorage, toData, prepare: prepare === true };
      print(options, await upkeep.move(plan), showMove);
    });
}

function showBackup(
  { folder, takenAt, database, blobs, key, fingerprint }: BackupReport,
  copied: boolean,
) {
  return fields({
    backup: folder,
    'of the moment': time(takenAt),
    database: `${database.rows} rows, ${bytesText(database.bytes)}`,
    blobs: copied
      ? `${blobs.count}, ${bytesText(blobs.bytes)}; ${blobs.copied.count} of them new (${bytesText(blobs.copied.bytes)}), ${blobs.removed} old ones removed`
      : `${blobs.count}, ${bytesText(blobs.bytes)}, stay in the store`,
    'secret key': `${key}, fingerprint ${fingerprint}`,
    warning:
      blobs.strays.length > 0 ? `passed over what is no blob: ${namesOf(blobs.strays)}` : undefined,
  });
}

function namesOf(strays: readonly string[]): string {
  const more = strays.length > 10 ? `, and ${strays.length - 10} more` : '';
  return `${strays.slice(0, 10).join(', ')}${more}`;
}

function showRestore(report: RestoreReport & { already: boolean }): string {
  const { id, takenAt, program, rows, blobs, lost: without, restored, already } = report;
  const state = already
    ? 'was restored here before; nothing was done'
    : restored
      ? 'restored: start the server'
      : 'whole';
  const left = without.map(({ digest, why }) => `\n  ${digest}: ${why}`).join('');
  const text = fields({
    backup: `${id}, of ${time(takenAt)}, by Gantry ${program}: ${state}`,
    database: `${rows} rows`,
    blobs: `${blobs.count}, ${bytesText(blobs.bytes)}`,
  });
  const lost = left === '' ? '' : `without  ${without.length} blobs:${left}\n`;
  return `${text}${lost}${showCredentials(report)}`;
}

function showMove(report: MoveReport & { already: boolean; settings: readonly string[] }): string {
  const { moved, already, rows, blobs, copied, lost: without, settings } = report;
  if (!moved) {
    return `The database to move to answers, is empty, and lets this user make tables.\n${copied.count} blobs (${bytesText(copied.bytes)}) are copied; ${blobs.count} (${bytesText(blobs.bytes)}) are there now.\nStop the server, then run the same without --prepare.\n`;
  }
  const done = already
    ? 'The installation was moved before.'
    : `${rows} rows and ${blobs.count} blobs (${bytesText(blobs.bytes)}) are moved.`;
  const left = without.map(({ digest, why }) => `  without ${digest}: ${why}\n`).join('');
  const lines = settings.map((line) => `  ${line}\n`).join('');
  return `${done}\n${left}Start the server with these, and its other settings as they were:\n\n${lines}\nThe old one is as it was: do not start it again, or there are two.\n`;
}

function lost(blobs: readonly LostBlob[]): Refused {
  const some = blobs.slice(0, 10).map(({ digest, why }) => `${digest}: ${why}`);
  return new Refused({
    code: 'incomplete',
    message: `The backup is made, but the store lacks blobs that the database names, or holds them damaged (${blobs.length}): ${some.join('; ')}.`,
    hint: 'Push the images that need them again. A restore of this backup leaves these blobs out.',
  });
}
