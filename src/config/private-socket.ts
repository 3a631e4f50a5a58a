import { chmodSync, existsSync, rmSync } from 'node:fs';
import { connect, type Server } from 'node:net';
import { join, relative } from 'node:path';
import { refuse } from '../oci/errors.ts';

/** `sun_path` of sockaddr_un, with its ending zero: 104 bytes on macOS, 108 on Linux. */
const mostPathBytes = 103;

/** What to give to `listen` and `connect`: the shorter of both ways to name a socket of the data folder. */
export function shortPathOf(folder: string, name: string): string {
  const path = join(folder, name);
  const short = relative(process.cwd(), path);
  const best = short.length < path.length ? short : path;
  if (Buffer.byteLength(best) <= mostPathBytes) return best;
  throw refuse(
    'invalid',
    `The path of the socket ${path} is longer than the ${mostPathBytes} bytes that a Unix socket may have.`,
    'Set GANTRY_DATA to a folder with a shorter path.',
  );
}

/**
 * Listens for this user alone (mode 0600), in a data folder that this process has locked. A file that an ended
 * process left is replaced; one that is answered is refused with kind `conflict`.
 */
export async function listenPrivately(server: Server, path: string): Promise<void> {
  if (existsSync(path)) await removeStale(path);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  // The mode must be right from the first moment, and `listen` binds before it returns.
  const before = process.umask(0o177);
  try {
    server.listen(path, resolve);
  } finally {
    process.umask(before);
  }
  await promise;
  server.off('error', reject);
  chmodSync(path, 0o600);
}

async function removeStale(path: string): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const probe = connect(path, () => resolve(true));
  probe.on('error', () => resolve(false));
  const answered = await promise;
  probe.destroy();
  if (answered) {
    throw refuse(
      'conflict',
      `Another process answers on ${path}: one Gantry at a time runs on a data folder.`,
      'Stop the other one, or set GANTRY_DATA to another folder.',
    );
  }
  rmSync(path, { force: true });
}
