import { type Readable, Transform } from 'node:stream';
import { RuntimeError } from '../../ports/runtime-driver.ts';
import type { Engine } from './engine.ts';
import { pathOf } from './next-end.ts';
import { hasStatus, noSuchInstance, refused } from './refusals.ts';

/** The engine looks for the path with the container's folder as root: links do not lead out of it. */
export async function readArchive(engine: Engine, id: string, path: string): Promise<Readable> {
  checkPath(path);
  try {
    return await engine.stream({ method: 'GET', path: `${pathOf(id)}/archive`, query: { path } });
  } catch (error) {
    throw notFound(error, id, path);
  }
}

/**
 * `stall`: after so many milliseconds without a byte it rejects with `unavailable`. Where it fails, `tar` is
 * left as it is, unread.
 */
export async function writeArchive(
  engine: Engine,
  { id, path, tar, stall }: { id: string; path: string; tar: Readable; stall: number },
): Promise<void> {
  checkPath(path);
  const abort = new AbortController();
  const stalled = new RuntimeError('unavailable', `No byte of the archive moved for ${stall} ms.`);
  const timer = setTimeout(() => abort.abort(stalled), stall);
  const gauge = new Transform({
    transform(chunk, _encoding, done) {
      timer.refresh();
      done(null, chunk);
    },
  });
  let broken: Error | undefined;
  const onError = (error: Error) => {
    broken = error;
    gauge.destroy(error);
  };
  const onClose = () => {
    if (!tar.readableEnded && !broken) onError(new Error('the archive ended before its end'));
  };
  tar.once('error', onError).once('close', onClose);
  tar.pipe(gauge);
  try {
    await engine.call({
      method: 'PUT',
      path: `${pathOf(id)}/archive`,
      // A folder is not replaced by a file of its name, nor a file by a folder.
      query: { path, noOverwriteDirNonDir: true },
      file: gauge,
      signal: abort.signal,
      deadline: 0,
    });
  } catch (error) {
    throw broken ?? notFound(error, id, path);
  } finally {
    clearTimeout(timer);
    tar.off('error', onError).off('close', onClose);
    tar.unpipe(gauge);
    gauge.destroy();
  }
}

function checkPath(path: string): void {
  if (path.startsWith('/') && !path.includes('\0')) return;
  throw new RuntimeError('invalid-spec', 'A path in an instance begins with /.');
}

function notFound(error: unknown, id: string, path: string): unknown {
  if (hasStatus(error, 404)) {
    if (/no such container/i.test(error.message)) return noSuchInstance(id);
    return new RuntimeError('no-such-path', `There is no ${path} in the instance.`);
  }
  return refused(error, { 400: 'invalid-spec', 403: 'invalid-spec', 409: 'invalid-spec' });
}
