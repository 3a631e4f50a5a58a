import { bootstrap } from './bootstrap.mjs';
import { serverEnv } from './server-env.mjs';

await bootstrap({
  file: 'src/main.ts',
  args: process.argv.slice(2),
  dev: false,
  env: serverEnv(),
});
