import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { RuntimeError, type VolumeSpec } from '../../../ports/runtime-driver.ts';

export type BucketSource = Extract<VolumeSpec['source'], { kind: 'bucket' }>;

/** What it may keep on this machine's disk of objects that are read or not yet sent, for one volume. */
export const cacheLimit = 4 * 2 ** 30;

/** Programs that a mount needs, and what is missing of them: a sentence, or undefined. */
export async function whyNoBuckets(
  env: NodeJS.ProcessEnv = process.env,
): Promise<string | undefined> {
  const how = 'On Debian: apt-get install rclone fuse3.';
  if (process.platform !== 'linux') return 'Bucket volumes need Linux.';
  if (process.getuid?.() !== 0) return 'Bucket volumes need Gantry to run as root: it mounts them.';
  const reached = (path: string, mode: number) =>
    access(path, mode).then(
      () => true,
      () => false,
    );
  if (!(await reached('/dev/fuse', constants.R_OK | constants.W_OK)))
    return 'Bucket volumes need /dev/fuse: load the kernel module fuse (modprobe fuse).';
  for (const names of [['rclone'], ['fusermount3', 'fusermount']]) {
    const paths = searched(env).flatMap((folder) => names.map((name) => join(folder, name)));
    const found = await Promise.all(paths.map((path) => reached(path, constants.X_OK)));
    if (!found.includes(true))
      return `Bucket volumes need ${names[0]}, which is not in PATH. ${how}`;
  }
  return undefined;
}

function searched(env: NodeJS.ProcessEnv): string[] {
  return (env.PATH ?? '').split(delimiter).filter((folder) => folder.startsWith('/'));
}

/** Rejects what rclone would read as something else than a place below the bucket. */
export function checkSource(source: BucketSource): void {
  const { bucket, prefix, endpoint } = source;
  const wrong = (what: string) => new RuntimeError('invalid-spec', what);
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{1,62}$/.test(bucket))
    throw wrong(`${JSON.stringify(bucket)} is no bucket's name.`);
  const parts = prefix.replace(/\/$/, '').split('/');
  const odd = (part: string) => part === '' || part === '.' || part === '..';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (prefix !== '' && (parts.some(odd) || /[\u0000-\u001f\u007f]/.test(prefix)))
    throw wrong('A prefix is names with slashes between them, none of them empty, `.` or `..`.');
  if (endpoint !== undefined && !['http:', 'https:'].includes(URL.parse(endpoint)?.protocol ?? ''))
    throw wrong(`The endpoint ${JSON.stringify(endpoint)} is no http or https URL.`);
}

/**
 * Mounts the place on a folder, until the process ends. Credentials go by its environment: arguments are seen
 * by every user of the machine. It is in a process group of its own, so that a signal to Gantry's (Ctrl+C)
 * does not take the mount from instances that go on.
 */
export function startRclone(
  source: BucketSource,
  folders: { readonly mount: string; readonly cache: string },
): ChildProcess {
  const { bucket, prefix, endpoint, region } = source;
  const place = ['volume:', bucket, prefix && `/${prefix.replace(/\/$/, '')}`].join('');
  return spawn(
    'rclone',
    [
      ...['mount', place, folders.mount, '--config', '', '--devname', 'gantry'],
      // Instances run as any user, and see each other's files in the volume.
      ...['--allow-other', '--dir-perms', '0777', '--file-perms', '0666', '--umask', '0'],
      // Programs may write anywhere in a file; it is sent a second after it was closed.
      ...['--vfs-cache-mode', 'writes', '--vfs-write-back', '1s'],
      ...['--cache-dir', folders.cache, '--vfs-cache-max-size', `${cacheLimit / 4}B`],
      // What others put into the bucket is seen after this.
      ...['--dir-cache-time', '10s', '--attr-timeout', '1s'],
      ...['--log-level', 'ERROR'],
    ],
    {
      env: {
        PATH: process.env.PATH,
        HOME: folders.cache,
        RCLONE_CONFIG_VOLUME_TYPE: 's3',
        RCLONE_CONFIG_VOLUME_PROVIDER: endpoint === undefined ? 'AWS' : 'Other',
        RCLONE_CONFIG_VOLUME_ACCESS_KEY_ID: source.accessKeyId,
        RCLONE_CONFIG_VOLUME_SECRET_ACCESS_KEY: source.secretAccessKey,
        RCLONE_CONFIG_VOLUME_ENV_AUTH: 'false',
        RCLONE_CONFIG_VOLUME_NO_CHECK_BUCKET: 'true',
        RCLONE_CONFIG_VOLUME_REGION: region ?? 'us-east-1',
        ...(endpoint === undefined
          ? {}
          : {
              RCLONE_CONFIG_VOLUME_ENDPOINT: endpoint,
              RCLONE_CONFIG_VOLUME_FORCE_PATH_STYLE: 'true',
            }),
      },
      stdio: ['ignore', 'ignore', 'pipe'],
      detached: true,
    },
  );
}
