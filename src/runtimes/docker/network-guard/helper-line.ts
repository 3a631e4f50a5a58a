import { extname } from 'node:path';
import type { GuardRules } from './rules.ts';

const program = `${import.meta.dirname}/main${extname(import.meta.filename)}`;

/** What an operator runs, and keeps running, where Gantry is not root. */
export function helperLine(
  rules: GuardRules,
  options: { readonly subnetBits: number; readonly dockerHost: string },
): string {
  const pairs: [string, string][] = [
    ['installation', rules.installation],
    ['pool', rules.pool],
    ['subnet-bits', String(options.subnetBits)],
    ...rules.reach.map((one): [string, string] => ['reach', one]),
    ...rules.dns.map((one): [string, string] => ['dns', one]),
    ...rules.privateRanges.map((one): [string, string] => ['private', one]),
    ['docker-host', options.dockerHost],
  ];
  const words = [process.execPath, program, ...pairs.map(([name, value]) => `--${name}=${value}`)];
  return ['sudo', ...words.map(quoted)].join(' ');
}

/** For a POSIX shell. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
