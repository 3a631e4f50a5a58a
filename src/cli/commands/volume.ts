import type { Command } from 'commander';
import { group, leaf, type Run } from '../command.ts';
import { given } from '../given.ts';
import { fields, table, time } from '../table.ts';
import { bytesText } from '../upkeep.ts';

export function addVolumeCommands(admin: Command, run: Run): void {
  const volume = group(
    admin,
    'volume',
    'what the container engine holds and the database does not know, as after a restore; docs/backup.md',
  );

  leaf(volume, 'list', 'all of it, with the projects that it was made for', 'volume list').action(
    async (options: { json?: boolean }) => {
      await run(options, 'volume.list', {}, ({ volumes }) =>
        table(
          ['VOLUME', 'KIND', 'PROJECT', 'MADE', 'HOLDS'],
          volumes.map(({ id, kind, project = '-', createdAt, bytes }) => [
            ...[id, kind, project, createdAt === undefined ? '-' : time(createdAt)],
            bytes === undefined ? '-' : bytesText(bytes),
          ]),
          'The database knows all volumes that the container engine holds.',
        ),
      );
    },
  );

  leaf(
    volume,
    'adopt <volume>',
    'give a disk back to the project that it was made for, under a name that services mount it by',
    'volume adopt vol_019a… --name data',
  )
    .requiredOption('--name <name>', 'of the volume, in its project')
    .action(async (id: string, { name, json }: { name: string; json?: boolean }) => {
      await run(given({ json }), 'volume.adopt', { volume: id, name }, (adopted) =>
        fields({ volume: adopted.name, project: adopted.project, id: adopted.id }),
      );
    });

  leaf(
    volume,
    'remove <volume>',
    'remove it with all that it holds; the objects of a bucket stay',
    'volume remove vol_019a…',
  ).action(async (id: string, options: { json?: boolean }) => {
    await run(options, 'volume.remove', { volume: id }, ({ removed }) =>
      removed
        ? `Removed ${id}.\n`
        : `${id} cannot be removed now, as while instances use it: it goes within an hour after.\n`,
    );
  });
}
