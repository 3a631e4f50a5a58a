/** `npm run bench -- functions`: starts of functions beside the engine doing the same, and what the gateway adds. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { makeSandbox } from '../../../conformance/clients/support/sandbox.ts';
import {
  docker29,
  engineObstacle,
  type FunctionEngine,
  startFunctionEngine,
} from '../../../conformance/functions/support/engine.ts';
import { Functions } from '../../../conformance/functions/support/functions-api.ts';
import {
  type FunctionsGantry,
  startFunctionsGantry,
} from '../../../conformance/functions/support/gantry.ts';
import { functionImage } from '../../../conformance/functions/support/images.ts';
import { needsServerProgram } from '../../../conformance/functions/support/server-program.ts';
import { aboutHere, namesIn, readCommand } from '../../command.ts';
import { runProgram } from '../clients/run-client.ts';
import { formatJson, formatTable, type RowResult, summary } from '../report.ts';
import type { FunctionsScale, Order, RepositoryName } from './rig.ts';
import { functionsRows } from './rows.ts';

const usual: FunctionsScale = {
  starts: 20,
  requests: 2_000,
  seconds: 3,
  rounds: 3,
  burst: 50,
  pullBytes: 100e6,
  pulls: 3,
  thawRequests: 4_000,
};

const quick: FunctionsScale = {
  ...usual,
  ...{ starts: 4, requests: 400, seconds: 1, rounds: 1, burst: 10 },
  ...{ pullBytes: 20e6, pulls: 1, thawRequests: 800 },
};

const full: FunctionsScale = { ...usual, starts: 50, thawRequests: 100_000 };

const usage = `usage: npm run bench -- functions [options]

Starts a container engine of its own (Docker 29) and Gantry beside it, and prints what a start, a thaw, a pull
and a warm request take through Gantry, and what the engine alone or the function called directly takes for the
same. Needs Linux, root and the tools of conformance/tools. Exit code 1 where a row failed.

  --quick            small figures in about a minute
  --full             100,000 requests while instances are frozen and thawed, more starts
  --only <row,row>   only these rows
  --list             names the rows
  --json             the result as JSON
  --help             this text
`;

const arguments_ = {
  quick: { type: 'boolean', default: false },
  full: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
  list: { type: 'boolean', default: false },
  only: { type: 'string', multiple: true, default: [] },
} as const satisfies ParseArgsConfig['options'];

/** Exit code. */
export async function benchFunctions(args: readonly string[]): Promise<number> {
  const values = readCommand(args, { usage, parse, listed: functionsRows });
  if (typeof values === 'number') return values;
  const obstacle = engineObstacle(docker29) ?? needsServerProgram();
  if (obstacle) {
    process.stderr.write(`The bench of functions cannot run here: ${obstacle}\n`);
    return 1;
  }
  const scale = values.full ? full : values.quick ? quick : usual;
  const results = await measure(scale, values.only);
  const about = {
    ...aboutHere(),
    engine: docker29.name,
    scale,
  };
  if (values.json) process.stdout.write(formatJson(about, results));
  else {
    process.stdout.write(`${about.processor}; Node ${about.node}; ${about.engine}\n\n`);
    process.stdout.write(`${formatTable(results, 'alone')}\n\n${summary(results)}\n`);
  }
  return results.some(({ failed }) => failed !== undefined) ? 1 : 0;
}

function parse(args: readonly string[]) {
  const { values } = parseArgs({ args: [...args], options: arguments_ });
  const known = functionsRows.map(({ name }) => name);
  const only = namesIn(values.only, 'row', known);
  if (values.quick && values.full) throw new Error('--quick and --full exclude each other');
  return { ...values, only };
}

async function measure(scale: FunctionsScale, only: readonly string[]): Promise<RowResult[]> {
  await using stack = new AsyncDisposableStack();
  const sandbox = makeSandbox();
  stack.defer(() => sandbox.remove());
  const engine = await startFunctionEngine(docker29, sandbox);
  stack.defer(() => engine.stop());
  const gantry = await startFunctionsGantry({ sandbox, engine, network: engine.network });
  stack.defer(() => gantry.halt());
  const order = await prepare(gantry, engine, scale, only);
  const file = join(sandbox.fresh('order'), 'order.json');
  writeFileSync(file, JSON.stringify(order));
  const inside = engine.network.inside(process.execPath, [
    join(import.meta.dirname, 'inside.ts'),
    file,
  ]);
  return JSON.parse(await runProgram(inside.program, inside.args, 3_600_000)) as RowResult[];
}

/** Settings of each function, before its first push. */
const settings: Readonly<Record<RepositoryName, object>> = {
  cold: { freezeAfterMs: 0, idleMs: { production: 1_000 } },
  frozen: { freezeAfterMs: 200, idleMs: { production: 600_000 } },
  warm: { freezeAfterMs: 0, idleMs: { production: 600_000 } },
  burst: { concurrency: 1, maxInstances: 50, idleMs: { production: 1_000 }, freezeAfterMs: 0 },
  gzip: { freezeAfterMs: 0, idleMs: { production: 1_000 } },
  zstd: { freezeAfterMs: 0, idleMs: { production: 1_000 } },
};

async function prepare(
  gantry: FunctionsGantry,
  engine: FunctionEngine,
  scale: FunctionsScale,
  only: readonly string[],
): Promise<Order> {
  const functions = new Functions(gantry);
  const repositories: Record<string, { digest: string }> = {};
  const hosts: Record<string, string> = {};
  for (const name of Object.keys(settings) as RepositoryName[]) {
    const compression = name === 'zstd' ? 'zstd' : 'gzip';
    const extraBytes = name === 'zstd' || name === 'gzip' ? scale.pullBytes : 0;
    const image = functionImage({ version: name, compression, extraBytes });
    await functions.service(name, settings[name]);
    hosts[name] = (await functions.deploy(name, 'latest', image)).serviceHost;
    repositories[name] = { digest: image.manifest.descriptor.digest };
  }
  return {
    socket: engine.socket,
    origin: `http://${gantry.registry}`,
    registry: gantry.registry,
    teamId: gantry.teamId,
    teamSlug: gantry.teamSlug,
    projectSlug: gantry.projectSlug,
    token: gantry.token,
    gantryPid: gantry.pid,
    repositories: repositories as Order['repositories'],
    hosts: hosts as Order['hosts'],
    only,
    scale,
  };
}
