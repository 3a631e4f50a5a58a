/**
 * Requests and collection in every order of their steps: what was acknowledged can be pulled, what was refused can be
 * pushed again, nothing dangles, and nothing is left once the leases are over. On SQLite in every order of reads and
 * writes; on Postgres in every order of writes, and of all with GANTRY_BARRIERS=all.
 */
import { after, before, describe, test } from 'node:test';
import type { Ends } from '../../../src/http/http-test-kit.ts';
import { openPostgresMetadata } from '../../../storage-adapters/metadata/postgres.ts';
import { postgresObstacle, startPostgres } from '../../tools/postgres.ts';
import { allCases } from './all-cases.ts';
import { BarrierWorld } from './barrier-world.ts';
import { explore } from './stage.ts';

const skip = postgresObstacle();
/** A command, or the end of bytes. */
const isWrite = (call: string) => /^[A-Z]|^store.delete$/.test(call);

/** One world for all cases of a database: each leaves it empty, and says so where it does not. */
function everyOrder(
  database: string,
  skip: string | undefined,
  stopsBefore: (call: string) => boolean,
  open: (t: Ends) => Promise<BarrierWorld>,
) {
  describe(`collection and requests in every order, on ${database}`, () => {
    const ends: (() => unknown)[] = [];
    let world: BarrierWorld;
    if (!skip) {
      before(async () => {
        world = await open({ after: (end) => void ends.push(end) });
      });
      after(async () => {
        for (const end of ends) await end();
      });
    }
    for (const { name, gates, make } of allCases) {
      test(name, { timeout: 120_000, ...(skip && { skip }) }, async (t) => {
        const played = await explore(world.stage, gates.filter(stopsBefore), () => make(world));
        t.diagnostic(`${played} orders`);
      });
    }
  });
}

everyOrder(
  'SQLite',
  undefined,
  () => true,
  (t) => BarrierWorld.open(t),
);

// What it reads is what SQLite reads: there every order of writes.
everyOrder(
  'Postgres',
  skip,
  (call) => isWrite(call) || process.env.GANTRY_BARRIERS === 'all',
  async (t) => {
    const server = await startPostgres();
    const world = await BarrierWorld.open(t, () => openPostgresMetadata({ url: server.url }));
    t.after(() => server.stop());
    return world;
  },
);
