/** `npm run bench -- soak`: collection without a pause under pushes, pulls and deletes, on real servers. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ParseArgsConfig, parseArgs } from 'node:util';
import {
  topologies,
  topologyNamed,
  topologyObstacle,
} from '../../../conformance/topologies/topology.ts';
import { readCommand } from '../../command.ts';
import { type SoakReport, soak } from './soak.ts';

const usage = `usage: npm run bench -- soak [options]

Clients push, mount, pull and delete images, indexes and referrers of shared layers, while collection runs again and
again with no delay and a lease of seconds. At the end everything is pulled, then deleted and collected. Exit code 1
where a push failed, a manifest lacked a blob, bytes were wrong, something was left over, or memory or descriptors grew.

  --minutes <m>      how long (60)
  --clients <n>      at once (8)
  --topology <name>  ${topologies.map(({ name }) => name).join(', ')}; may be given again
                     (filesystem+sqlite and s3+postgres+replicas, one after the other)
  --json             the result as JSON
  --help             this text
`;

const arguments_ = {
  minutes: { type: 'string', default: '60' },
  clients: { type: 'string', default: '8' },
  topology: { type: 'string', multiple: true, default: [] },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const satisfies ParseArgsConfig['options'];

/** Exit code. */
export async function benchSoak(args: readonly string[]): Promise<number> {
  const options = readCommand(args, { usage, parse });
  if (typeof options === 'number') return options;
  let bad = 0;
  for (const topology of options.topologies) {
    const obstacle = topologyObstacle(topology);
    if (obstacle) {
      process.stderr.write(`${topology.name} cannot run here: ${obstacle}\n`);
      bad += 1;
      continue;
    }
    process.stderr.write(`${topology.name}: ${options.minutes} min …\n`);
    const folder = await mkdtemp(join(tmpdir(), 'gantry-soak-'));
    try {
      const report = await soak({ ...options, topology, folder });
      if (report.off.length > 0) bad += 1;
      process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : textOf(report));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
  return bad === 0 ? 0 : 1;
}

function parse(args: readonly string[]) {
  const { values } = parseArgs({ args: [...args], options: arguments_ });
  const [minutes, clients] = [Number(values.minutes), Number(values.clients)];
  if (!(minutes > 0)) throw new Error(`--minutes takes a number, not "${values.minutes}"`);
  if (!Number.isInteger(clients) || clients < 1) throw new Error('--clients takes a whole number');
  const names = values.topology.length > 0 ? values.topology : usual;
  return { ...values, minutes, clients, topologies: names.map(topologyNamed) };
}

const usual = ['filesystem+sqlite', 's3+postgres+replicas'];

function textOf({
  topology,
  minutes,
  counts,
  collections,
  ends,
  servers,
  off,
  examples,
}: SoakReport) {
  const line = (what: string, value: unknown) => `  ${what.padEnd(34)}${value}\n`;
  const list = (values: object) =>
    Object.entries(values)
      .map(([name, value]) => `${name} ${value}`)
      .join(', ');
  return [
    `${topology}, ${minutes} min\n`,
    line('done', list(counts)),
    line('collections', list(collections)),
    line('failed and lost', list(ends.problems)),
    line('left at the end', list(ends.left)),
    ...servers.map(({ begin, end, mostMegabytes, restMegabytes }, at) =>
      line(
        `server ${at + 1}, begin and end`,
        `${begin.megabytes} -> ${end.megabytes} MB resident (${mostMegabytes} at the most, ${restMegabytes} at rest), ${begin.liveMegabytes} -> ${end.liveMegabytes} MB live, ${begin.descriptors} -> ${end.descriptors} descriptors`,
      ),
    ),
    line('off', off.length === 0 ? 'nothing' : off.join('; ')),
    ...examples.map((example) => line('', example)),
  ].join('');
}
