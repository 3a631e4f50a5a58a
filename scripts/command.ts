/** What the commands of development have in common: `npm test` and the benches. */
import { cpus } from 'node:os';

export interface Command<Options> {
  readonly usage: string;
  /** Throws an `Error` fit to print where the arguments are not as `usage` says. */
  readonly parse: (args: readonly string[]) => Options;
  /** What `--list` names. */
  readonly listed?: readonly { readonly name: string; readonly title: string }[];
}

/** The options; or the exit code, where nothing is left to do: bad arguments, `--help`, `--list`. */
export function readCommand<Options extends { readonly help: boolean; readonly list?: boolean }>(
  args: readonly string[],
  { usage, parse, listed = [] }: Command<Options>,
): Options | number {
  let options: Options;
  try {
    options = parse(args);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${usage}`);
    return 2;
  }
  if (options.help) {
    process.stdout.write(usage);
    return 0;
  }
  if (!options.list) return options;
  const width = Math.max(...listed.map(({ name }) => name.length)) + 2;
  for (const { name, title } of listed) process.stdout.write(`${name.padEnd(width)}${title}\n`);
  return 0;
}

/** Of `--only a,b --only c`: names, each of which must be `known`. */
export function namesIn(
  given: readonly string[],
  what: string,
  known?: readonly string[],
): string[] {
  const names = given.flatMap((some) => some.split(',')).filter((name) => name !== '');
  const unknown = known && names.find((name) => !known.includes(name));
  if (unknown === undefined) return names;
  throw new Error(`there is no ${what} "${unknown}"; there are ${known!.join(', ')}`);
}

/** Where and when figures came to be. */
export function aboutHere(): { date: string; node: string; processor: string } {
  return {
    date: new Date().toISOString(),
    node: process.version,
    processor: cpus()[0]?.model ?? 'unknown',
  };
}
