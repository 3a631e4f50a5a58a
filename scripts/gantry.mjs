#!/usr/bin/env node
import { bootstrap } from './bootstrap.mjs';

await bootstrap({ file: 'src/cli/main.ts', args: process.argv.slice(2), dev: false });
