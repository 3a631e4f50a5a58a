import { bootstrap } from './bootstrap.mjs';

await bootstrap({ file: 'scripts/test.ts', args: process.argv.slice(2), dev: true });
