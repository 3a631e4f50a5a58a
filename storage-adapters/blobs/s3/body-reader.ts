import { Readable } from 'node:stream';
import { RegistryError } from '../../../src/oci/errors.ts';
import { passed } from '../young-garbage.ts';
import { translate } from './errors.ts';

/**
 * The body of an answer, which fails with `unavailable` where the server goes silent for `idleTimeout`
 * milliseconds while more is wanted. A reader that takes its time is no silence: the clock stands while
 * nothing is asked for, so a slow client does not cost the connection. A body that is cut short fails by
 * its Content-Length.
 */
export function readBody(body: Readable, idleTimeout: number): Readable {
  let clock: NodeJS.Timeout | undefined;
  const stream = new Readable({
    highWaterMark: 1 << 20,
    read() {
      clock ??= setTimeout(silent, idleTimeout);
      body.resume();
    },
    destroy(error, done) {
      clearTimeout(clock);
      body.destroy();
      done(error);
    },
  });
  const silent = () =>
    stream.destroy(translate(new Error(`S3 sent nothing for ${idleTimeout} ms`)));
  body.on('data', (chunk: Buffer) => {
    passed(chunk.length);
    if (stream.push(chunk)) {
      clock?.refresh();
    } else {
      clearTimeout(clock);
      clock = undefined;
      body.pause();
    }
  });
  body.on('end', () => {
    clearTimeout(clock);
    stream.push(null);
  });
  body.on('error', (error) => stream.destroy(translate(error)));
  body.on('close', () => {
    if (!body.readableEnded) stream.destroy(translate(new Error('S3 closed the connection')));
  });
  body.pause();
  return stream;
}

export function wrongLength(expected: number, found: number | undefined): RegistryError {
  return new RegistryError({
    kind: 'unavailable',
    message: `The blob store offers ${found ?? 'an unknown number of'} bytes where ${expected} were asked for.`,
    hint: 'The object was damaged outside of the registry: restore it from a backup or push it again.',
  });
}
