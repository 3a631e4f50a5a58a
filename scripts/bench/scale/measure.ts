import { resetPeak, residentBytes } from '../processes.ts';
import type { Figure, RowResult } from '../report.ts';
import { alternate, lowerQuartile } from '../rounds.ts';
import { tokenHeaders } from '../servers.ts';
import { type CpuMeter, openCpuMeter } from './cpu.ts';
import { diskBytes } from './database.ts';
import { probes, wholeReads } from './probes.ts';
import type { Probe } from './requests.ts';
import { bigRepository, project, team } from './seed.ts';
import { checkPulls, checkTwins } from './twins.ts';
import type { World } from './world.ts';

const goal = { of: 'ratio', is: '≤', value: 1.5 } as const;
const megabyte = 1e6;

export async function measureWorlds(
  worlds: readonly World[],
  options: {
    title: string;
    only: readonly string[];
    rounds: number;
    seconds: number;
    times: boolean;
    say(what: string): void;
  },
): Promise<RowResult[]> {
  const { only, rounds, seconds, title, say } = options;
  const [small, large] = worlds as readonly [World, World];
  const row = `scale-${small.on}`;
  const wanted = ({ name }: Probe) => only.length === 0 || only.some((one) => name.startsWith(one));
  for (const world of worlds) await checkPulls(world);
  await checkTwins(small);
  const meters = new Map<World, CpuMeter>();
  for (const world of worlds) meters.set(world, await openCpuMeter(world.pid, world.database));
  const failed: string[] = [];
  /** What a request takes of each: CPU ms in all, those of them in Postgres, and the time it takes. */
  const take = async (probe: Probe, warm: number): Promise<Map<string, Record<string, number>>> => {
    say(probe.title);
    const turns = async () => {
      // Compiles, fills what is kept for a while, and finds the place in the middle.
      for (const world of worlds) await probe.run(world, warm);
      return await alternate(worlds, rounds, turn, lowerQuartile);
    };
    const turn = async (world: World) => {
      const meter = meters.get(world)!;
      const before = await meter.read();
      const { requests, ms } = await probe.run(world, seconds);
      const after = await meter.read();
      const databaseMs = ((after.database - before.database) * 1000) / requests;
      const cpuMs = databaseMs + ((after.server - before.server) * 1000) / requests;
      return { cpuMs, databaseMs, ms };
    };
    return await turns().catch((error: Error) => {
      failed.push(error.message);
      return new Map();
    });
  };
  const figures: Figure[] = [];
  const asked = probes.filter(wanted);
  // Of a server that has just started: what every request runs is not compiled yet.
  for (const world of worlds) await asked[0]?.run(world, 4 * seconds);
  for (const probe of asked) {
    const taken = await take(probe, seconds);
    const both = (figure: string) => ({
      peer: taken.get(small.name)?.[figure],
      gantry: taken.get(large.name)?.[figure],
    });
    const cpu = both('cpuMs');
    figures.push({ what: probe.title, unit: 'CPU ms', goal, ...cpu });
    say(`  ${cpu.peer?.toFixed(3)} and ${cpu.gantry?.toFixed(3)} CPU ms`);
    if (small.database)
      figures.push({ what: '· in Postgres', unit: 'CPU ms', ...both('databaseMs') });
    if (options.times) figures.push({ what: '· its time', unit: 'ms', ...both('ms') });
  }
  say('paging through all');
  const most = new Map<string, number>();
  for (const world of worlds) most.set(world.name, await pageThroughAll(world));
  const whole: Figure[] = [];
  for (const probe of wholeReads.filter(wanted)) {
    for (const { pid } of worlds) resetPeak(pid);
    const taken = await take(probe, 0);
    const [peer, gantry] = [small, large].map(
      (world) => ((taken.get(world.name)?.cpuMs ?? Number.NaN) * 1000) / probe.per(world),
    );
    whole.push({ what: probe.title, unit: 'CPU µs a row', goal, peer, gantry });
    const [one, other] = [small, large].map(({ name }) => taken.get(name)?.ms);
    whole.push({ what: '· its time', unit: 'ms', peer: one, gantry: other });
    const [less, more] = worlds.map(({ pid }) => residentBytes(pid).peak / megabyte);
    whole.push({ what: '· resident at most', unit: 'MB', peer: less, gantry: more });
  }
  for (const meter of meters.values()) await meter.close();
  const about = (what: string, unit: string, of: (world: World) => number): Figure => ({
    ...{ what, unit, peer: of(small), gantry: of(large) },
  });
  const sizes: Figure[] = [
    about('filling the database', 's', (world) => world.seconds.seed),
    about('first start, from schema 5', 's', (world) => world.seconds.migrated),
    about('a start', 's', (world) => world.seconds.started),
    about('resident after the start', 'MB', (world) => world.memory / megabyte),
    about('resident at most, all pages of tags and catalog', 'MB', (world) => {
      return most.get(world.name)! / megabyte;
    }),
    about('the folder on the disk', 'MB', (world) => diskBytes(world.folder) / megabyte),
  ];
  const { size } = large;
  const notes = [
    `${size.tags} tags in one repository and ${size.repositories} repositories, against 1,000 of each`,
    `CPU of the server and of its connections to the database for a request, lower quartiles of ${rounds} turns of ${seconds} s each, one connection`,
  ];
  return [
    { row, title: `${title}: requests`, figures, notes, ...(failed[0] && { failed: failed[0] }) },
    { row: `${row}-whole`, title: `${title}: what reads all rows`, figures: whole, notes: [] },
    { row: `${row}-rest`, title: `${title}: starts, memory, disk`, figures: sizes, notes: [] },
  ];
}

/** The most that the server held while it listed everything, page by page. */
async function pageThroughAll(world: World): Promise<number> {
  const { url, pid, teamId, token, size } = world;
  const repository = `${team}/${project}/${bigRepository}`;
  const basic = Buffer.from(`${teamId}:${token}`).toString('base64');
  resetPeak(pid);
  const lists = [
    {
      path: `/v2/${repository}/tags/list?n=1000`,
      headers: await tokenHeaders(url, `${teamId}:${token}`, repository),
      least: size.tags,
    },
    {
      path: '/v2/_catalog?n=1000',
      headers: { authorization: `Basic ${basic}` },
      least: size.repositories,
    },
  ];
  for (const { path, headers, least } of lists) {
    let seen = 0;
    for (let next: string | undefined = path; next; ) {
      const answer: Response = await fetch(new URL(next, url), { headers });
      const page = (await answer.json()) as { tags?: unknown[]; repositories?: unknown[] };
      seen += (page.tags ?? page.repositories ?? []).length;
      next = /<([^>]+)>; rel="next"/.exec(answer.headers.get('link') ?? '')?.[1];
    }
    if (seen < least) throw new Error(`${path}: ${seen} of ${least} rows came`);
  }
  return residentBytes(pid).peak;
}
