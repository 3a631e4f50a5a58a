/**
 * Loaded before the server (`node --import`), in each of its threads: its files come without types from
 * `stripped-types`. What Node has for that stays in memory for good: its stripper 20 MB, and its compile cache 14 MB
 * of files that were read once.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isOurs, readStripped } from './stripped-types.mjs';

let tried = false;

registerHooks({
  load(url, context, nextLoad) {
    const path = url.startsWith('file:') ? fileURLToPath(url) : '';
    if (!isOurs(path)) return nextLoad(url, context);
    const text = readFileSync(path, 'utf8');
    const source = readStripped(text) ?? strippedNow(text);
    // Node strips it, where nothing can be kept.
    if (source === undefined) return nextLoad(url, context);
    return { format: 'module', source, shortCircuit: true };
  },
});

/** By a process of its own, so that this one never loads the stripper. */
function strippedNow(text) {
  if (tried) return undefined;
  tried = true;
  const program = join(import.meta.dirname, 'stripped-types.mjs');
  spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', program], {
    env: { ...process.env, NODE_OPTIONS: '' },
    stdio: 'ignore',
  });
  return readStripped(text);
}
