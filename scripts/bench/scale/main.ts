/** `npm run bench -- scale`: what a request costs with 1M tags and 100k repositories, by its cost at 1,000 of each. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { postgresObstacle } from '../../../conformance/tools/postgres.ts';
import { aboutHere, namesIn, readCommand } from '../../command.ts';
import { formatJson, formatTable, type RowResult, summary } from '../report.ts';
import { measureWorlds } from './measure.ts';
import { probes, wholeReads } from './probes.ts';
import type { Size } from './seed.ts';
import { type DatabaseName, openWorld, type World, withPostgres } from './world.ts';

const small: Size = { name: 'small', tags: 1_000, repositories: 1_000 };
const usual: Size = { name: 'large', tags: 1_000_000, repositories: 100_000 };
const quick: Size = { name: 'large', tags: 100_000, repositories: 10_000 };

const usage = `usage: npm run bench -- scale [options]

Fills two databases, one with 1,000 tags in a repository and 1,000 repositories, one with 1,000,000 and 100,000,
starts Gantry on each, and asks the same of both by turns: what it takes, and the ratio. On SQLite and, where it is
installed, on Postgres. Needs 2 GB of temporary disk. Exit code 1 where something failed.

  --quick            100,000 tags and 10,000 repositories
  --on <database>    sqlite or postgres alone
  --only <probe,…>   only what is named, or begins so
  --rounds <n>       turns of each (9); a figure is their lower quartile
  --seconds <s>      of each turn (0.5)
  --times            the time of each request, too: of a machine with nothing else to do
  --list             names what is asked
  --json             the result as JSON
  --help             this text
`;

const arguments_ = {
  quick: { type: 'boolean', default: false },
  on: { type: 'string' },
  only: { type: 'string', multiple: true, default: [] },
  rounds: { type: 'string', default: '9' },
  seconds: { type: 'string', default: '0.5' },
  times: { type: 'boolean', default: false },
  list: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const satisfies ParseArgsConfig['options'];

/** Exit code. */
export async function benchScale(args: readonly string[]): Promise<number> {
  const options = readCommand(args, { usage, parse, listed: [...probes, ...wholeReads] });
  if (typeof options === 'number') return options;
  const results: RowResult[] = [];
  for (const on of options.on) results.push(...(await benchOn(on, options)));
  const about = {
    ...aboutHere(),
    sizes: [small, options.large],
  };
  if (options.json) process.stdout.write(formatJson(about, results));
  else {
    process.stdout.write(`${about.processor}; Node ${about.node}\n\n`);
    process.stdout.write(`${formatTable(results, '1,000', 'large')}\n\n${summary(results)}\n`);
  }
  return results.some(({ failed }) => failed !== undefined) ? 1 : 0;
}

function parse(args: readonly string[]) {
  const { values } = parseArgs({ args: [...args], options: arguments_ });
  const { on } = values;
  if (on !== undefined && on !== 'sqlite' && on !== 'postgres') {
    throw new Error(`--on takes sqlite or postgres, not "${on}"`);
  }
  const rounds = Number(values.rounds);
  const seconds = Number(values.seconds);
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds takes a whole number');
  if (!(seconds > 0)) throw new Error('--seconds takes a number');
  const only = namesIn(values.only, 'probe');
  const databases: DatabaseName[] = on ? [on] : ['sqlite', 'postgres'];
  return { ...values, rounds, seconds, only, on: databases, large: values.quick ? quick : usual };
}

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

async function benchOn(
  on: DatabaseName,
  options: ReturnType<typeof parse>,
): Promise<readonly RowResult[]> {
  const title = { sqlite: 'SQLite', postgres: 'Postgres' }[on];
  const row = { row: `scale-${on}`, title, figures: [], notes: [] };
  const obstacle = on === 'postgres' ? postgresObstacle() : undefined;
  if (obstacle) return [{ ...row, missing: obstacle }];
  const folder = await mkdtemp(join(tmpdir(), 'gantry-scale-'));
  const worlds: World[] = [];
  // What is asked fails once its servers are gone, and all that was made is removed.
  const end = () => {
    for (const world of worlds) void world.stop();
  };
  for (const signal of signals) process.on(signal, end);
  try {
    return await withPostgres(on, async (postgres) => {
      try {
        for (const size of [small, options.large]) {
          process.stderr.write(`${title}: filling ${size.name} …\n`);
          worlds.push(await openWorld({ on, size, folder, postgres }));
        }
        const say = (what: string) => process.stderr.write(`${title}: ${what} …\n`);
        return await measureWorlds(worlds, { ...options, title, say });
      } finally {
        for (const world of worlds) await world.stop();
      }
    });
  } catch (error) {
    return [{ ...row, failed: (error as Error).stack ?? String(error) }];
  } finally {
    for (const signal of signals) process.off(signal, end);
    await rm(folder, { recursive: true, force: true });
  }
}
