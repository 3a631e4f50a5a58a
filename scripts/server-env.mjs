import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const loader = pathToFileURL(join(import.meta.dirname, 'load-stripped.mjs'));

/**
 * What Node must know of the server before any program runs, as environment variables.
 * The young generation is kept small, and so is the number of the allocator's arenas (one for each thread
 * unless limited): what is not used of either stays resident. Throughput is the same.
 * The allocator keeps room for a few buffers of 1 MiB, and gives back more than that: with new pages for each, a
 * download takes twice the time of the processor.
 * Types are stripped by `load-stripped`, and the compile cache is off: it would keep in memory what it read.
 */
export function serverEnv(env = process.env) {
  return {
    UV_THREADPOOL_SIZE: fileThreads(env),
    MALLOC_ARENA_MAX: env.MALLOC_ARENA_MAX || '2',
    MALLOC_MMAP_THRESHOLD_: env.MALLOC_MMAP_THRESHOLD_ || '4194304',
    MALLOC_TRIM_THRESHOLD_: env.MALLOC_TRIM_THRESHOLD_ || '4194304',
    NODE_DISABLE_COMPILE_CACHE: '1',
    NODE_OPTIONS: `--max-semi-space-size=4 --import=${loader} ${env.NODE_OPTIONS ?? ''}`.trim(),
  };
}

/** Node reads the size of its file pool once. A bad value is refused by the program, with all other settings. */
function fileThreads(env) {
  const given = env.GANTRY_FILE_THREADS || fromFile(env) || env.UV_THREADPOOL_SIZE;
  return /^[1-9]\d{0,3}$/.test(given ?? '') ? String(given) : '8';
}

function fromFile(env) {
  try {
    return JSON.parse(readFileSync(env.GANTRY_CONFIG ?? '', 'utf8')).fileThreads;
  } catch {
    return undefined;
  }
}
