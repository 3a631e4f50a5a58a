/** `npm run bench`: Gantry against distribution v3, side by side, with the goals. */
import { availableParallelism } from 'node:os';
import { aboutHere, readCommand } from '../command.ts';
import { benchBackends } from './backends/main.ts';
import { Bench, runRow, type Scale } from './bench.ts';
import { runProgram } from './clients/run-client.ts';
import { benchFunctions } from './functions/main.ts';
import { findInPath } from './load.ts';
import { type BenchOptions, parseBenchArgs, usage } from './options.ts';
import { formatJson, formatTable, type RowResult, summary } from './report.ts';
import { rows } from './rows.ts';
import { benchScale } from './scale/main.ts';
import { missingPeer } from './servers.ts';
import { benchSoak } from './soak/main.ts';

const MiB = 2 ** 20;

const usual: Scale = {
  rounds: 5,
  seconds: 3,
  manyTags: 5_000,
  flatTags: 20_000,
  imageBytes: 240e6,
  putBytes: 1024 * MiB,
  getBytes: 110e6,
};

const quick: Scale = {
  rounds: 2,
  seconds: 1,
  manyTags: 500,
  flatTags: 1_000,
  imageBytes: 24e6,
  putBytes: 64 * MiB,
  getBytes: 32e6,
};

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const others = {
    ...{ backends: benchBackends, functions: benchFunctions },
    ...{ scale: benchScale, soak: benchSoak },
  };
  const other = others[args[0] as keyof typeof others];
  if (other) return await other(args.slice(1));
  const known = rows.map((row) => row.name);
  const parse = (given: readonly string[]) => parseBenchArgs(given, known);
  const options = readCommand(args, { usage, parse, listed: rows });
  if (typeof options === 'number') return options;
  if (process.platform !== 'linux') {
    process.stderr.write('The bench reads what programs cost from /proc: it needs Linux.\n');
    return 1;
  }
  return await run(options);
}

async function run(options: BenchOptions): Promise<number> {
  const say = (line: string) => process.stderr.write(`${line}\n`);
  const cores = await useTwoCores();
  const bench = await Bench.open(scaleOf(options));
  const abort = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      abort.abort();
      // What runs fails when its server is gone, and the loop below ends.
      void bench.close();
    });
  }
  const results: RowResult[] = [];
  try {
    const peer = missingPeer();
    if (peer !== undefined) {
      results.push({
        row: 'peer',
        title: 'distribution v3',
        figures: [],
        notes: [],
        missing: peer,
      });
    }
    for (const row of rows) {
      if (options.only.length > 0 && !options.only.includes(row.name)) continue;
      if (abort.signal.aborted) break;
      say(`${row.name}: ${row.title} …`);
      results.push(await runRow(row, bench));
    }
  } finally {
    await bench.close();
  }
  const about = {
    ...aboutHere(),
    cores,
    peer: 'distribution v3.1.2, without authentication; Gantry with',
    scale: bench.scale,
  };
  if (options.json) process.stdout.write(formatJson(about, results));
  else {
    process.stdout.write(
      `${about.processor}, ${cores} cores for servers and clients; Node ${about.node}\n${about.peer}\n\n`,
    );
    process.stdout.write(`${formatTable(results)}\n\n${summary(results)}\n`);
  }
  return abort.signal.aborted || results.some((result) => result.failed !== undefined) ? 1 : 0;
}

function scaleOf(options: BenchOptions): Scale {
  const scale = options.quick ? quick : usual;
  return {
    ...scale,
    ...(options.full ? { manyTags: 100_000, flatTags: 100_000 } : {}),
    ...(options.rounds === undefined ? {} : { rounds: options.rounds }),
  };
}

/** The goals are for two cores: on a larger machine all processes share the first two. */
async function useTwoCores(): Promise<number> {
  const present = availableParallelism();
  if (present <= 2 || !findInPath('taskset')) return present;
  await runProgram('taskset', ['-a', '-c', '-p', '0,1', String(process.pid)]);
  return 2;
}
