import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withFileLock } from './file-lock.mjs';
import { npmCi } from './npm-ci.mjs';

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
  { dev, platformPackage, install = npmCi, say = sayOnStderr },
) {
  if (isInstalled(root, dev, platformPackage)) return;
  await withFileLock(
    join(root, '.cache', 'install.lock'),
    async () => {
      // Whoever was waited for has done it.
      if (isInstalled(root, dev, platformPackage)) return;
      const withDev = dev || hadDev(root);
      const start = Date.now();
      say(
        `installing dependencies from package-lock.json${withDev ? '' : ' (without those for tests)'} …`,
      );
      const failure = await install(root, withDev, say);
      if (failure) throw new DependenciesError(failure);
      if (platformPackage && !existsSync(join(root, 'node_modules', platformPackage))) {
        throw new DependenciesError(
          `npm did not install ${platformPackage}, which brings the Node that Gantry runs on. ` +
            'Check that npm is not set to omit optional packages (npm config get omit), then run: npm ci',
        );
      }
      writeStamp(root, withDev);
      say(`dependencies installed in ${Math.round((Date.now() - start) / 1000)} s`);
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
  if (stamp?.lock === lockHash(root) && (stamp.dev || !dev)) return true;
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
    writeFileSync(stampPath(root), JSON.stringify({ lock: lockHash(root), dev }));
  } catch {
    // A read-only checkout: the next start compares again.
  }
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
