import { type Command, InvalidArgumentError } from 'commander';
import type { AdminMethod, AdminParams, AdminResult } from '../projects/admin-methods.ts';
import type { Refused } from './refused.ts';

/** Calls a method and prints its result: by `show` for people, or as JSON where that was asked for. */
export type Run = <M extends AdminMethod>(
  output: { readonly json?: boolean },
  method: M,
  params: AdminParams<M>,
  show: (result: AdminResult<M>) => string,
  watch?: Watch<AdminResult<M>>,
) => Promise<void>;

/** How far something is that goes on after the call: asked for again and again until it has ended. */
export interface Watch<R> {
  /** Also where nobody looks at the terminal. */
  readonly always: boolean;
  readonly everyMs: number;
  /** Undefined: it has ended. */
  readonly line: (result: R) => string | undefined;
  /** What it is told as, in place of its result, where it has ended and failed. */
  readonly failed?: (result: R) => Refused | undefined;
  /** A method with a result of the same kind. */
  readonly again: (result: R) => { readonly method: AdminMethod; readonly params: unknown };
}

/** A command that does something: with `--json`, and examples in its help. */
export function leaf(
  parent: Command,
  usage: string,
  description: string,
  ...examples: string[]
): Command {
  const lines = examples.map((example) => `  $ npx gantry admin ${example}`);
  return parent
    .command(usage)
    .description(description)
    .option('--json', 'print the result as JSON')
    .addHelpText('after', `\nExamples:\n${lines.join('\n')}`);
}

/** A command that only holds others. */
export function group(parent: Command, name: string, description: string): Command {
  return parent.command(name).description(description);
}

/** For an option that may be given again, or with commas: `--project a --project b,c`. */
export function collect(value: string, before: string[] | undefined): string[] {
  const values = value.split(',').map((part) => part.trim());
  return [...(before ?? []), ...values.filter((part) => part !== '')];
}

/** Likewise for texts in which a comma may stand. */
export function again(value: string, before: string[] | undefined): string[] {
  return [...(before ?? []), value];
}

export function wholeNumber(value: string): number {
  if (/^\d{1,9}$/.test(value)) return Number(value);
  throw new InvalidArgumentError(`"${value}" is not a whole number.`);
}
