import { loadConfig } from '../config/load.ts';
import type { OnProgress, Progress } from '../maintenance/backup/copy.ts';
import type { AdminStatus } from '../projects/admin-methods.ts';
import type { Upkeep } from './commands/backup.ts';
import { Refused } from './refused.ts';
import type { CliProcess } from './run-cli.ts';
import { connectSocket } from './socket-client.ts';

/** The commands on whole installations, with the settings of this process. */
export function upkeepOf(cli: CliProcess): Upkeep {
  const { env, cwd, tty, err } = cli;
  const during = async <T>(work: (progress: OnProgress | undefined) => Promise<T>): Promise<T> => {
    const bar = tty ? progressBar(err) : undefined;
    try {
      return await work(bar?.tell);
    } catch (error) {
      throw explained(error);
    } finally {
      bar?.end();
    }
  };
  // The adapters are read only where they are needed.
  const compose = () => import('../compose-backup.ts');
  return {
    backup: (target, options) =>
      during(async (progress) => {
        await compareWithServer(cli);
        return (await compose()).backup({ env, cwd, progress }, target, options);
      }),
    check: (source) =>
      during(async (progress) => (await compose()).check({ env, cwd, progress }, source)),
    restore: (source, options) =>
      during(async (progress) =>
        (await compose()).restore({ env, cwd, progress }, source, options),
      ),
    move: (options) =>
      during(async (progress) => (await compose()).move({ env, cwd, progress }, options)),
  };
}

/** A folder that cannot be written is no fault of the program. */
function explained(error: unknown): unknown {
  const { code, syscall, message } = error as NodeJS.ErrnoException;
  if (!(error instanceof Error) || syscall === undefined || code === undefined) return error;
  return new Refused(
    {
      code: 'failed',
      message: `${message}.`,
      hint: 'Check that the folder or file is there, that this user may use it, and that its disk has room.',
    },
    { cause: error },
  );
}

/** A command without the server's settings would back up what the server does not use. */
async function compareWithServer({ env, cwd }: CliProcess): Promise<void> {
  const config = loadConfig(env, { cwd });
  const client = await connectSocket(config.data);
  if (!client) return;
  try {
    const status = (await client.call('status', {})) as AdminStatus;
    const ours = {
      database: config.databaseUrl === undefined ? 'sqlite' : 'postgres',
      storage: config.storage.type,
    };
    for (const what of ['database', 'storage'] as const) {
      // A server of an older version does not say.
      if (status[what] === undefined || status[what] === ours[what]) continue;
      throw new Refused({
        code: 'conflict',
        message: `The server on this data folder uses ${status[what]}, and this command was set to ${ours[what]}.`,
        hint: 'Give the command the settings of the server: GANTRY_DATABASE_URL, GANTRY_STORAGE and those of S3.',
      });
    }
  } finally {
    client.close();
  }
}

const everyMs = 200;
const width = 30;

/** One line that is written over. */
function progressBar(err: (text: string) => void): { tell: OnProgress; end(): void } {
  let last = 0;
  let step = '';
  const tell = (progress: Progress): void => {
    const now = performance.now();
    if (progress.step === step && now - last < everyMs && progress.done !== progress.total) return;
    last = now;
    step = progress.step;
    err(`\r\u001b[K${lineOf(progress)}`);
  };
  return { tell, end: () => err('\r\u001b[K') };
}

function lineOf({ step, done, total, unit }: Progress): string {
  const show = (count: number) => (unit === 'bytes' ? bytesText(count) : `${count} ${unit}`);
  if (total === 0) return `${step}  ${show(done)}`;
  const full = Math.floor((width * Math.min(done, total)) / total);
  return `${step}  [${'#'.repeat(full)}${'.'.repeat(width - full)}] ${show(done)} of ${show(total)}`;
}

/** Such as `1.5 GB`. */
export function bytesText(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}
