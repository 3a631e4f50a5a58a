import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

const program = '/usr/bin/chromium';

/** Why there is no browser here, or undefined where there is. */
export function noChromium(): string | undefined {
  return existsSync(program)
    ? undefined
    : `${program} is missing: it is Debian's chromium, which npm test installs as root`;
}

/** Debian's Chromium, headless. Containers have no user namespaces for its sandbox. */
export function startChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: program, headless: true, args: ['--no-sandbox'] });
}
