import { resolve } from 'node:path';

const path = resolve(import.meta.dirname, '..', '..', 'scripts', 'server-env.mjs');
const { serverEnv } = (await import(path)) as {
  serverEnv(env: Readonly<Record<string, string>>): Readonly<Record<string, string>>;
};

/** What `npm start` sets for the server, so that what is started from tests and benches is the same. */
export const startEnv = serverEnv({});
