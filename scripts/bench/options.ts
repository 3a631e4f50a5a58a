import { parseArgs } from 'node:util';
import { namesIn } from '../command.ts';

export interface BenchOptions {
  readonly quick: boolean;
  readonly full: boolean;
  readonly json: boolean;
  readonly help: boolean;
  readonly list: boolean;
  /** Names of rows; empty: all. */
  readonly only: readonly string[];
  readonly rounds: number | undefined;
}

export const usage = `usage: npm run bench [-- options]
       npm run bench -- backends [options]
       npm run bench -- functions [options]
       npm run bench -- scale [options]
       npm run bench -- soak [options]

Runs Gantry (authentication on) and distribution v3 by turns on this machine's loopback, and prints both
figures, their ratio and the goal. Exit code 1 where a row failed; a goal that is missed is not a failure.

  --quick            small figures in under a minute: for a look, not for a judgement
  --full             100,000 tags in place of 20,000
  --only <row,row>   only these rows
  --rounds <n>       turns of each server in a row
  --list             names the rows
  --json             the result as JSON
  --help             this text
`;

/** Throws an `Error` fit to print where the arguments are not as `usage` says. */
export function parseBenchArgs(args: readonly string[], known: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      full: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      only: { type: 'string', multiple: true, default: [] },
      rounds: { type: 'string' },
    },
  });
  const only = namesIn(values.only, 'row', known);
  if (values.quick && values.full) throw new Error('--quick and --full exclude each other');
  if (values.rounds !== undefined && !/^[1-9]\d?$/.test(values.rounds)) {
    throw new Error(`--rounds takes a whole number from 1 to 99, not "${values.rounds}"`);
  }
  return { ...values, only, rounds: values.rounds ? Number(values.rounds) : undefined };
}
