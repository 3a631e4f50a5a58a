import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withFileLock } from './file-lock.mjs';
import { npmInstall } from './npm-install.mjs';

export class DependenciesError extends Error {
  name = 'DependenciesError';
}

/**
 * Installs what package-lock.json names, unless it is there already. `dev` false leaves out what only tests
 * and tools need, but never removes it where it is. `platformPackage` must be there in any case.
 * Two processes at once do it one after the other. Throws `DependenciesError`.
 */
export async function ensureDependencies(
  root,
  { dev, platformPackage, install = npmInstall, say = sayOnStderr, beatMs = 20_000 },
) {
  if (isInstalled(root, dev, platformPackage)) return;
  await withFileLock(
    join(root, '.cache', 'install.lock'),
    async () => {
      // Whoever was waited for has done it.
      if (isInstalled(root, dev, platformPackage)) return;
      const withDev = dev || hadDev(root);
      const start = Date.now();
      // What is there stays where only the rest is missing: a server may be running from it.
      const add = withDev && matchesLock(root, false);
      const what = add
        ? 'what tests need'
        : withDev
          ? 'dependencies'
          : 'dependencies (not those of tests)';
      say(`installing ${what} as in package-lock.json …`);
      // The first time takes a minute or more, and npm is silent meanwhile.
      const seconds = () => Math.round((Date.now() - start) / 1000);
      const beat = setInterval(() => say(`still installing, ${seconds()} s so far …`), beatMs);
      const failure = await install(root, { withDev, add }, say).finally(() => clearInterval(beat));
      if (failure) throw new DependenciesError(failure);
      if (platformPackage && !existsSync(join(root, 'node_modules', platformPackage))) {
        throw new DependenciesError(
          `npm did not install ${platformPackage}, which brings the Node that Gantry runs on. ` +
            'Check that npm is not set to omit optional packages (npm config get omit), then run: npm ci',
        );
      }
      writeStamp(root, withDev);
      say(`installed in ${seconds()} s`);
    },
    (pid) => say(`waiting for process ${pid}, which installs dependencies …`),
  );
}

function sayOnStderr(line) {
  process.stderr.write(`gantry: ${line}\n`);
}

function isInstalled(root, dev, platformPackage) {
  if (platformPackage && !existsSync(join(root, 'node_modules', platformPackage))) return false;
  const stamp = readJson(stampPath(root));
  const same = stamp?.lock === lockHash(root) && stamp.record === recordTime(root);
  if (same && (stamp.dev || !dev)) return true;
  if (!matchesLock(root, dev)) return false;
  writeStamp(root, dev || hadDev(root));
  return true;
}

/**
 * Whether npm itself, run by hand, has installed just this: it keeps a copy of what it did. Optional
 * packages may be missing, those of other platforms are.
 */
function matchesLock(root, dev) {
  const installed = readJson(join(root, 'node_modules', '.package-lock.json'))?.packages;
  if (!installed) return false;
  const locked = readJson(join(root, 'package-lock.json'))?.packages ?? {};
  return Object.entries(locked).every(([path, entry]) => {
    if (path === '' || (entry.dev && !dev)) return true;
    const there = installed[path];
    return there
      ? there.version === entry.version
      : entry.optional === true || entry.devOptional === true;
  });
}

function hadDev(root) {
  const installed = readJson(join(root, 'node_modules', '.package-lock.json'))?.packages ?? {};
  return Object.values(installed).some((entry) => entry.dev);
}

function stampPath(root) {
  return join(root, 'node_modules', '.gantry-install.json');
}

function writeStamp(root, dev) {
  try {
    const stamp = { lock: lockHash(root), record: recordTime(root), dev };
    writeFileSync(stampPath(root), JSON.stringify(stamp));
  } catch {
    // A read-only checkout: the next start compares again.
  }
}

/** Whatever npm does by hand, it writes its record anew. */
function recordTime(root) {
  return statSync(join(root, 'node_modules', '.package-lock.json'), { throwIfNoEntry: false })
    ?.mtimeMs;
}

function lockHash(root) {
  return createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
}

function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}
