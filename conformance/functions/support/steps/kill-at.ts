/**
 * A program that Gantry is started with in a test (`node --import`), which ends it by SIGKILL before or after a named
 * call of a port. The name stands in a file, so that a running server can be told; nothing of this is in src.
 */
import { readFileSync, rmSync } from 'node:fs';
import { registerHooks } from 'node:module';

const file = process.env.KILL_AT_FILE;

/** Modules whose ports are stepped through: each with one here of the same name that wraps it. */
const stepped = [
  'src/runtimes/docker/open-docker.ts',
  'storage-adapters/metadata/open-metadata.ts',
];

registerHooks({
  resolve(specifier, context, next) {
    const found = next(specifier, context);
    const own = stepped.find((path) => found.url.endsWith(`/${path}`));
    if (!own || context.parentURL?.includes('/support/steps/')) return found;
    return next(new URL(`./${own.split('/').at(-1)}`, import.meta.url).href, context);
  },
});

/** Ends the process where the file names this step. */
function pass(step: string): void {
  if (!file) return;
  let wanted = '';
  try {
    wanted = readFileSync(file, 'utf8');
  } catch {
    return;
  }
  if (wanted !== step) return;
  // It came this far: the test knows by the file's absence, and the next start goes on.
  rmSync(file);
  process.kill(process.pid, 'SIGKILL');
}

/** Runs a call; its name with what it is about: `before create`, `after SetDeploymentState probing`. */
export async function step<T>(name: string, call: () => Promise<T>): Promise<T> {
  pass(`before ${name}`);
  const result = await call();
  pass(`after ${name}`);
  return result;
}
