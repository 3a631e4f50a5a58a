/** `node scripts/run.mjs <file.ts> [arguments]`: any TypeScript file of the checkout, under the pinned Node. */
import { bootstrap } from './bootstrap.mjs';

const [file, ...args] = process.argv.slice(2);
if (file) {
  await bootstrap({ file, args, dev: true });
} else {
  process.stderr.write('usage: node scripts/run.mjs <file.ts> [arguments]\n');
  process.exitCode = 2;
}
