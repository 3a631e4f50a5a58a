import { join, resolve } from 'node:path';
import { type Config, loadConfig } from '../../config/load.ts';
import { refuse } from '../../oci/errors.ts';

type Env = Readonly<Record<string, string | undefined>>;

export interface MovePlan {
  readonly source: Config;
  /** `secretKey`: the installation's, which stays what it is. */
  readonly target: (secretKey: string) => Config;
  /** Whether they go to another place. */
  readonly database: boolean;
  readonly blobs: boolean;
}

/** The URL to move to where it has a password: arguments can be read by everyone on the machine. */
export const urlVariable = 'GANTRY_TO_DATABASE_URL';

/**
 * From where to where. The settings of the environment are those of the source; those of S3 may be the target's, where
 * the source is a folder. Throws `invalid` with what to write.
 */
export function planMove(
  env: Env,
  cwd: string,
  options: {
    readonly toDatabase?: string | undefined;
    readonly toStorage?: string | undefined;
    readonly toData?: string | undefined;
  },
): MovePlan {
  const { toStorage, toData } = options;
  const toDatabase = databaseUrlOf(options.toDatabase, env);
  const source = sourceOf(env, cwd, toStorage);
  const embeds = toDatabase === 'sqlite' || toStorage === 'filesystem';
  if (embeds && toData === undefined) {
    throw refuse(
      'invalid',
      'Moving to SQLite or to a folder needs the data folder to move to.',
      'Add --to-data ./new-data',
    );
  }
  const changed = {
    database: toDatabase !== undefined,
    blobs: toStorage !== undefined,
  };
  if (!changed.database) {
    throw refuse(
      'invalid',
      'A move needs a database to move to: blobs alone cannot be moved, since the one in use would have to change.',
      'Add --to-database postgres://user@host/database, or --to-database sqlite with --to-data.',
    );
  }
  const same =
    toDatabase === 'sqlite' &&
    source.databaseUrl === undefined &&
    (toStorage === undefined || toStorage === 'filesystem') &&
    source.storage.type === 'filesystem';
  if (same || (toData !== undefined && resolve(cwd, toData) === source.data)) {
    throw refuse(
      'invalid',
      'The installation is there already.',
      'Name another database, storage or data folder; a folder is moved by mv while the server is stopped.',
    );
  }
  return {
    source,
    ...changed,
    target: (secretKey) => targetOf({ env, cwd, source, toDatabase, toStorage, toData, secretKey }),
  };
}

function databaseUrlOf(given: string | undefined, env: Env): string | undefined {
  const url = given ?? env[urlVariable];
  if (url === undefined || url === 'sqlite' || url === '') return url || undefined;
  if (!URL.canParse(url) || !/^postgres(ql)?:$/.test(new URL(url).protocol)) {
    throw refuse(
      'invalid',
      'The database to move to is neither sqlite nor a URL of Postgres.',
      'Write --to-database postgres://user@host/database',
    );
  }
  if (given !== undefined && new URL(given).password !== '') {
    throw refuse(
      'invalid',
      'The URL of the database has a password, which everyone on this machine can read in a list of processes.',
      `Leave it out and set PGPASSWORD, or set ${urlVariable} to the whole URL instead of --to-database.`,
    );
  }
  return url;
}

/** Settings of S3 beside a folder are meant for the target. */
function sourceOf(env: Env, cwd: string, toStorage: string | undefined): Config {
  const onFiles = !env.GANTRY_STORAGE || env.GANTRY_STORAGE === 'filesystem';
  const given = Object.entries(env).filter(
    ([name]) => !(onFiles && toStorage?.startsWith('s3:') && name.startsWith('GANTRY_S3_')),
  );
  return loadConfig(Object.fromEntries(given), { cwd });
}

function targetOf(given: {
  env: Env;
  cwd: string;
  source: Config;
  toDatabase: string | undefined;
  toStorage: string | undefined;
  toData: string | undefined;
  secretKey: string;
}): Config {
  const { cwd, source, toDatabase, toStorage, toData, secretKey } = given;
  const env: Record<string, string | undefined> = {
    ...given.env,
    GANTRY_SECRET_KEY: secretKey,
  };
  if (toStorage !== undefined) {
    env.GANTRY_STORAGE = toStorage;
    if (toStorage === 'filesystem') {
      delete env.GANTRY_BLOBS;
      for (const name of Object.keys(env)) if (name.startsWith('GANTRY_S3_')) delete env[name];
    }
  }
  if (toDatabase === 'sqlite') delete env.GANTRY_DATABASE_URL;
  else if (toDatabase !== undefined) env.GANTRY_DATABASE_URL = toDatabase;
  if (toData !== undefined) env.GANTRY_DATA = toData;
  const config = loadConfig(env, { cwd });
  return {
    ...config,
    databaseUrl: toDatabase === 'sqlite' ? undefined : config.databaseUrl,
    // Where they stay, they stay where the source has them.
    blobs:
      toStorage === undefined
        ? source.blobs
        : toData === undefined
          ? config.blobs
          : join(config.data, 'blobs'),
  };
}

/** The lines to start with after a move; no secret is among them. */
export function settingsAfter(source: Config, target: Config): string[] {
  const lines: string[] = [];
  if (target.data !== source.data) lines.push(`GANTRY_DATA=${target.data}`);
  if (target.databaseUrl !== undefined) {
    const url = new URL(target.databaseUrl);
    const secret = url.password === '' ? '' : '   # with its password';
    url.password = '';
    lines.push(`GANTRY_DATABASE_URL=${url.href}${secret}`);
    lines.push(
      source.secretKey === undefined
        ? `GANTRY_SECRET_KEY=$(cat ${join(source.data, 'secret.key')})`
        : 'GANTRY_SECRET_KEY as it is',
    );
  } else if (source.databaseUrl !== undefined) lines.push('no GANTRY_DATABASE_URL');
  const { storage, s3 } = target;
  if (storage.type === 's3') {
    lines.push(`GANTRY_STORAGE=s3://${storage.bucket}${storage.prefix && `/${storage.prefix}`}`);
    if (s3.endpoint) lines.push(`GANTRY_S3_ENDPOINT=${s3.endpoint}`);
  } else if (source.storage.type === 's3') lines.push('no GANTRY_STORAGE, no GANTRY_S3_…');
  return lines;
}
