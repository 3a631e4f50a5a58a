/** `npm run lint`: formats and fixes what biome can, and tells the rest. */
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const biome = resolve(root, 'node_modules', '@biomejs', 'biome', 'bin', 'biome');
const args = process.argv.slice(2);
const { status } = spawnSync(process.execPath, [biome, 'check', '--write', ...args], {
  cwd: root,
  stdio: 'inherit',
});
process.exitCode = status ?? 1;
