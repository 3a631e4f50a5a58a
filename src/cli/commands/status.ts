import type { Command } from 'commander';
import { leaf, type Run } from '../command.ts';
import { fields, time } from '../table.ts';

export function addStatusCommand(admin: Command, run: Run): void {
  leaf(admin, 'status', 'whether the server runs, and where', 'status').action(
    async (options: { json?: boolean }) => {
      await run(options, 'status', {}, (status) => {
        const { running, url, pid, startedAt, version, data, storage, database } = status;
        const { unknownVolumes } = status;
        return fields({
          server: running ? `runs since ${time(startedAt)}, process ${pid}` : 'does not run',
          url: running ? url : undefined,
          version,
          data,
          storage,
          database,
          volumes: unknownVolumes
            ? `${unknownVolumes} that the database does not know: npx gantry admin volume list`
            : undefined,
        });
      });
    },
  );
}
