import { readFileSync } from 'node:fs';
import { bootstrap } from './bootstrap.mjs';

await bootstrap({
  file: 'src/main.ts',
  args: process.argv.slice(2),
  dev: false,
  env: { UV_THREADPOOL_SIZE: fileThreads() },
});

/**
 * Node reads the size of its file pool once, before any program runs, so it is set here. A bad value is
 * refused by the program, with all other settings.
 */
function fileThreads() {
  const given = process.env.GANTRY_FILE_THREADS || fromFile() || process.env.UV_THREADPOOL_SIZE;
  return /^[1-9]\d{0,3}$/.test(given ?? '') ? String(given) : '8';
}

function fromFile() {
  try {
    return JSON.parse(readFileSync(process.env.GANTRY_CONFIG ?? '', 'utf8')).fileThreads;
  } catch {
    return undefined;
  }
}
