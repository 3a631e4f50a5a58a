/** `npm run bench -- backends`: both databases with both blob stores, by turns. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { startDeployment } from '../../../conformance/topologies/deployment.ts';
import { startServices } from '../../../conformance/topologies/services.ts';
import {
  type Topology,
  topologyNamed,
  topologyObstacle,
} from '../../../conformance/topologies/topology.ts';
import { aboutHere, namesIn, readCommand } from '../../command.ts';
import { formatJson, formatTable, type RowResult, summary } from '../report.ts';
import { makeSmallImage, pushSmallImage } from '../seed.ts';
import { tokenHeaders } from '../servers.ts';
import { type Backend, type BackendScale, backendRows, repository } from './rows.ts';

const usual: BackendScale = {
  rounds: 3,
  seconds: 2,
  pushes: 1_000,
  putBytes: 2 ** 30,
  getBytes: 1e8,
};
const quick: BackendScale = { rounds: 1, seconds: 1, pushes: 200, putBytes: 1e8, getBytes: 2e7 };

/** The first is what the others are beside. */
const topologies: readonly Topology[] = [
  topologyNamed('filesystem+sqlite'),
  topologyNamed('s3+sqlite'),
  topologyNamed('filesystem+postgres'),
  { name: 's3+postgres', blobs: 's3', database: 'postgres', replicas: 1 },
];

const usage = `usage: npm run bench -- backends [options]

Runs Gantry on ${topologies.map(({ name }) => name).join(', ')} and measures all by turns; the first is what
the others are beside. S3 is versitygw, whose bytes go through Gantry here; Postgres and versitygw share the machine's
cores. Both databases sync each commit. Exit code 1 where a row failed.

  --quick            small figures: for a look
  --only <row,row>   only these rows
  --rounds <n>       turns of each
  --list             names the rows
  --json             the result as JSON
  --help             this text
`;

const arguments_ = {
  quick: { type: 'boolean', default: false },
  only: { type: 'string', multiple: true, default: [] },
  rounds: { type: 'string' },
  list: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const satisfies ParseArgsConfig['options'];

/** Exit code. */
export async function benchBackends(args: readonly string[]): Promise<number> {
  const options = readCommand(args, { usage, parse, listed: backendRows });
  if (typeof options === 'number') return options;
  const results = await measure(options.scale, options.only);
  const about = {
    ...aboutHere(),
    scale: options.scale,
  };
  if (options.json) process.stdout.write(formatJson(about, results));
  else {
    process.stdout.write(`${about.processor}; Node ${about.node}\n\n`);
    process.stdout.write(
      `${formatTable(results, topologies[0]!.name, 'this')}\n\n${summary(results)}\n`,
    );
  }
  return results.some(({ failed }) => failed !== undefined) ? 1 : 0;
}

function parse(args: readonly string[]) {
  const { values } = parseArgs({ args: [...args], options: arguments_ });
  const known = backendRows.map(({ name }) => name);
  const only = namesIn(values.only, 'row', known);
  const rounds = values.rounds === undefined ? undefined : Number(values.rounds);
  if (rounds !== undefined && !(Number.isInteger(rounds) && rounds > 0)) {
    throw new Error('--rounds takes a whole number');
  }
  const scale = values.quick ? quick : usual;
  return { ...values, only, scale: { ...scale, ...(rounds && { rounds }) } };
}

async function measure(scale: BackendScale, only: readonly string[]): Promise<RowResult[]> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'gantry-backends-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const backends: Backend[] = [];
  const missing: RowResult[] = [];
  const image = makeSmallImage();
  for (const topology of topologies) {
    const obstacle = topologyObstacle(topology);
    if (obstacle) {
      const { name } = topology;
      missing.push({ row: name, title: name, figures: [], notes: [], missing: obstacle });
      continue;
    }
    process.stderr.write(`${topology.name}: starting …\n`);
    const { services, stop } = await startServices(topology);
    stack.defer(stop);
    const deployment = await startDeployment({
      ...{ topology, services, folder: join(folder, topology.name) },
      settings: {
        GANTRY_FUNCTIONS: 'off',
        ...(topology.blobs === 's3' && { GANTRY_S3_REDIRECT: 'off' }),
      },
    });
    stack.defer(() => deployment.stop());
    const { origin: url, bootstrap } = deployment;
    const credentials = `${bootstrap.teamId}:${bootstrap.token}`;
    const server = {
      ...{ name: 'gantry' as const, url, credentials, pid: deployment.server(0).pid },
      headers: (wanted: string) => tokenHeaders(url, credentials, wanted),
      stop: async () => {},
    };
    await pushSmallImage(server, repository, image);
    backends.push({ name: topology.name, server, image });
  }
  const results: RowResult[] = [...missing];
  for (const { name, title, run } of backendRows) {
    if (only.length > 0 && !only.includes(name)) continue;
    process.stderr.write(`${title} …\n`);
    const row = { row: name, title, notes: [] };
    results.push(
      await run(backends, scale).then(
        (done) => ({ ...row, ...done }),
        (error: Error) => ({ ...row, figures: [], failed: error.message }),
      ),
    );
  }
  return results;
}
