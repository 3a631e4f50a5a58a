import { join, resolve } from 'node:path';

const path = resolve(import.meta.dirname, '..', '..', 'scripts', 'server-env.mjs');
const { serverEnv } = (await import(path)) as {
  serverEnv(env: Readonly<Record<string, string>>): Readonly<Record<string, string>>;
};

/** What `npm start` sets for the server, so that what is started from tests and benches is the same. */
export const startEnv = serverEnv({});

/** Lasts as long as the run of a suite. */
const folder = process.env.GANTRY_TEST_FOLDER;

/** Where Node keeps what it compiled, for programs that tests start dozens of times. */
export const compileCache: Readonly<Record<string, string>> = folder
  ? { NODE_COMPILE_CACHE: join(folder, 'compiled') }
  : {};

/** The same as `startEnv` but for that cache, which takes some memory. */
export const quickStartEnv = folder ? withCache(startEnv, compileCache) : startEnv;

/** For servers whose memory is measured: as `npm start` has it. */
export const asStarted = { NODE_DISABLE_COMPILE_CACHE: '1' };

/** Node keeps nothing where the variable is there, whatever its value. */
export function withCache(
  env: Readonly<Record<string, string>>,
  cache: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const { NODE_DISABLE_COMPILE_CACHE: _, ...others } = env;
  return { ...others, ...cache };
}
