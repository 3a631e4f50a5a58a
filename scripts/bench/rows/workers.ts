/** GANTRY_WORKERS=2 against the one process of old, both Gantry. */
import { join } from 'node:path';
import { ociManifest } from '../../../src/oci/media-types.ts';
import { type Bench, type Outcome, type Row, smallRepository } from '../bench.ts';
import { load } from '../load.ts';
import { alternate } from '../rounds.ts';
import { makeSmallImage, pushSmallImage, pushTags } from '../seed.ts';
import { startGantry } from '../servers.ts';
import { connections } from './reads.ts';
import { pushRepository } from './tags.ts';

const tagsOfTurn = 500;

async function run(bench: Bench): Promise<Outcome> {
  const { rounds, seconds, flatTags } = bench.scale;
  await using stack = new AsyncDisposableStack();
  const subjects = [];
  for (const workers of [1, 2]) {
    const folder = join(bench.folder, `workers-${workers}`);
    const server = await startGantry({ folder, env: { GANTRY_WORKERS: String(workers) } });
    stack.defer(() => server.stop());
    subjects.push({ name: String(workers), server, pushed: 0 });
  }
  const image = makeSmallImage();
  const count = Math.min(tagsOfTurn, flatTags / 10);
  for (const { server } of subjects) {
    await pushSmallImage(server, smallRepository, image);
    await pushSmallImage(server, pushRepository, image);
  }
  const medians = await alternate(subjects, rounds, async (subject) => {
    const { server } = subject;
    const url = `${server.url}/v2/${smallRepository}/manifests/latest`;
    const headers = { ...(await server.headers(smallRepository)), accept: ociManifest };
    const reads = await load({ ...{ url, method: 'GET', headers, connections, seconds } });
    const from = subject.pushed;
    subject.pushed += count;
    const pushes = await pushTags(server, pushRepository, image, { from, count });
    return { reads: reads.perSecond, pushes: count / pushes.seconds };
  });
  const figure = (name: 'reads' | 'pushes', what: string, unit: string) => ({
    ...{ what, unit, gantry: medians.get('2')![name]!, peer: medians.get('1')![name]! },
  });
  return {
    figures: [
      figure('reads', 'GET manifest by tag', 'requests/s'),
      figure('pushes', 'tag pushes, 8 at once', 'pushes/s'),
    ],
    notes: [
      `two workers; the other column is Gantry as one process, ${rounds} turns each; the load runs on the same cores`,
    ],
  };
}

export const workersRow: Row = {
  name: 'workers',
  title: 'Two workers against one process',
  run,
};
