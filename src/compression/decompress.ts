import { createGunzip } from 'node:zlib';
import binding from 'zstd-napi/binding.js';
import type { LayerCompression } from '../oci/media-types.ts';

/** The largest window of zstd without `--ultra --long`: 128 MiB, and so the bound on memory. */
const maxWindowLog = 27;
const gunzipChunk = 256 * 1024;

/** The bytes cannot be inflated: they are not what they were said to be, or need more memory than is given. */
export class DecompressError extends Error {
  override readonly name = 'DecompressError';
  readonly format: 'gzip' | 'zstd';
  readonly reason: 'invalid' | 'window';

  /** `message`: for use after "is not valid gzip: " where the reason is `invalid`. */
  constructor(format: 'gzip' | 'zstd', reason: 'invalid' | 'window', message: string) {
    super(message);
    this.format = format;
    this.reason = reason;
  }
}

/**
 * The uncompressed bytes of `source`, as much at a time as one chunk, which is overwritten when the next
 * one is asked for. Throws `DecompressError` where the bytes are not of that compression, end early, have
 * something else behind them, or need a zstd window of more than 2^`windowLog` bytes.
 */
export function decompress(
  compression: LayerCompression,
  source: AsyncIterable<Buffer>,
  windowLog = maxWindowLog,
): AsyncIterable<Buffer> {
  if (compression === 'gzip') return gunzip(source);
  if (compression === 'zstd') return unzstd(source, windowLog);
  return source;
}

/**
 * Any number of members (RFC 1952, section 2.2), and zeros behind them, as the gzip tool takes both.
 * Node's stream ends at the first of those zeros, without a look at what else there is.
 */
async function* gunzip(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const engine = createGunzip({ chunkSize: gunzipChunk });
  const feeding = feed();
  // An error of the engine reaches us twice; the one that is thrown below is enough.
  feeding.catch(() => {});
  try {
    yield* engine;
    await feeding;
  } catch (error) {
    throw isZlibError(error) ? notValid('gzip', error.message) : error;
  } finally {
    engine.destroy();
  }

  async function feed(): Promise<void> {
    let fed = 0;
    let ended = false;
    try {
      for await (const chunk of source) {
        if (!ended) {
          await new Promise<void>((resolve, reject) => {
            engine.write(chunk, (error) => (error ? reject(error) : resolve()));
          });
        }
        const used: number = ended ? 0 : engine.bytesWritten - fed;
        ended = used < chunk.length;
        if (chunk.subarray(used).some((byte) => byte !== 0)) {
          throw notValid('gzip', 'there are other bytes behind its end');
        }
        fed += chunk.length;
      }
      if (!ended) engine.end();
    } catch (error) {
      engine.destroy(error as Error);
      throw error;
    }
  }
}

interface Zstd {
  readonly context: InstanceType<typeof binding.DCtx>;
  readonly output: Buffer;
}

/** Used again: a context's window is freed only when it is collected. */
const idle: Zstd[] = [];
const mostIdle = 2;

/**
 * Any number of frames, skippable ones as well (RFC 8878, section 3). zstd-napi's own stream inflates
 * all of a chunk before it lets go of any of it: 64 KiB may be 2 GiB. Hence one buffer at a time here.
 */
async function* unzstd(source: AsyncIterable<Buffer>, windowLog: number): AsyncGenerator<Buffer> {
  const zstd = idle.pop() ?? {
    context: new binding.DCtx(),
    output: Buffer.allocUnsafe(binding.dStreamOutSize()),
  };
  const { context, output } = zstd;
  context.reset(binding.ResetDirective.sessionAndParameters);
  context.setParameter(binding.DParameter.windowLogMax, windowLog);
  let complete = false;
  try {
    for await (let chunk of source) {
      let more = chunk.length > 0;
      while (more) {
        const [expected, produced, consumed] = step(zstd, chunk, windowLog);
        chunk = chunk.subarray(consumed);
        complete = expected === 0;
        if (produced > 0) yield output.subarray(0, produced);
        more = chunk.length > 0 || (produced === output.length && !complete);
      }
    }
  } finally {
    if (idle.length < mostIdle) idle.push(zstd);
  }
  if (!complete) throw notValid('zstd', 'it ends too early');
}

function step({ context, output }: Zstd, chunk: Buffer, windowLog: number) {
  try {
    return context.decompressStream(output, chunk);
  } catch (error) {
    const { message } = error as Error;
    if (/too much memory/.test(message)) {
      const limit = `${2 ** (windowLog - 20)} MiB`;
      throw new DecompressError(
        'zstd',
        'window',
        `needs a window of more than ${limit} to be read`,
      );
    }
    throw notValid('zstd', message);
  }
}

function notValid(format: 'gzip' | 'zstd', problem: string): DecompressError {
  return new DecompressError(format, 'invalid', problem);
}

function isZlibError(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('Z_');
}
