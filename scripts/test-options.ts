import { parseArgs } from 'node:util';
import { topologyNamed } from '../conformance/topologies/topology.ts';
import { type Suite, suites } from './test-suites.ts';

export interface TestOptions {
  readonly quick: boolean;
  readonly list: boolean;
  readonly help: boolean;
  readonly selected: readonly Suite[];
  /** What Gantry is made of in suites that run on any topology; each suite's own where it is undefined. */
  readonly topology?: string | undefined;
  /** Parts of file paths. */
  readonly filters: readonly string[];
}

export const usage = `usage: npm test [-- options] [part of a file's path …]

  --quick         the inner loop, under two minutes: without clients and faults
  --only <suite>  only that suite (several: --only unit,spec)
  --topology <t>  spec, official or clients on another topology, such as s3+postgres+replicas
  --list          names the suites
  --help          this text

npm test -- --only unit src/config runs the files of the unit suite whose path holds src/config.
`;

const onAny = suites
  .filter((suite) => suite.kind === 'files' && suite.topology === 'any')
  .map(({ name }) => name)
  .join(', ');

/** Throws an `Error` fit to print where the arguments are not as `usage` says. */
export function parseTestArgs(args: readonly string[]): TestOptions {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string', multiple: true, default: [] },
      topology: { type: 'string' },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const only = values.only.flatMap((names) => names.split(','));
  const known = suites.map(({ name }) => name);
  const unknown = only.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new Error(`there is no suite "${unknown}"; there are ${known.join(', ')}`);
  }
  const named = only.length > 0 ? suites.filter(({ name }) => only.includes(name)) : suites;
  const { topology } = values;
  const fixed = named.find((suite) => suite.kind !== 'files' || suite.topology !== 'any');
  if (topology !== undefined) {
    topologyNamed(topology);
    if (fixed) throw new Error(`--topology needs --only, of suites that run on any: ${onAny}`);
  }
  return {
    ...{ topology },
    quick: values.quick,
    list: values.list,
    help: values.help,
    selected: named,
    filters: positionals,
  };
}
