import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Bench, compare, type Outcome, type Row } from '../bench.ts';
import { runProgram } from '../clients/run-client.ts';
import { removeLayout } from '../image.ts';
import { findInPath } from '../load.ts';
import { alternate, metered, settled } from '../rounds.ts';
import { project } from '../seed.ts';
import type { Server } from '../servers.ts';
import { quietDisk } from './blobs.ts';

const missing = 'skopeo is not installed';

/** Seconds that skopeo takes, starting and logging in included. */
async function copy(
  bench: Bench,
  server: Server,
  way: { from: string; to: string; side: 'src' | 'dest' },
): Promise<number> {
  const { side } = way;
  const login = server.credentials ? [`--${side}-creds=${server.credentials}`] : [];
  const args = ['--insecure-policy', 'copy', '-q', `--${side}-tls-verify=false`, ...login];
  const env = { ...process.env, REGISTRY_AUTH_FILE: join(bench.folder, 'auth.json') };
  const started = performance.now();
  await runProgram('skopeo', [...args, way.from, way.to], 120_000, env);
  return (performance.now() - started) / 1000;
}

const reference = (server: Server, name: string) =>
  `docker://${new URL(server.url).host}/${project}/${name}:latest`;

async function runPush(bench: Bench): Promise<Outcome> {
  if (!findInPath('skopeo')) return { figures: [], missing };
  const { servers } = await bench.files();
  const image = await bench.image();
  let measuring = 0;
  let layout = '';
  const medians = await alternate(servers, bench.scale.rounds, async (server, round) => {
    // Each turn its own image: what a server holds already is not sent.
    layout = bench.freshFolder();
    await image.write(layout);
    await quietDisk();
    const to = reference(server, `push-${round}`);
    const { result, own, children } = await metered(server.pid, () =>
      copy(bench, server, { from: `oci:${layout}:latest`, to, side: 'dest' }),
    );
    const after = await metered(server.pid, () => settled(server.pid));
    if (server.name === 'gantry') measuring = after.own + after.children;
    await removeLayout(layout);
    return { seconds: result, cpu: own + children };
  });
  return {
    figures: [
      compare(medians, 'seconds', {
        what: 'time',
        unit: 's',
        goal: { of: 'ratio', is: '≤', value: 1 },
      }),
      compare(medians, 'cpu', {
        what: 'CPU of the server',
        unit: 's',
        goal: { of: 'ratio', is: '≤', value: 1 },
      }),
    ],
    notes: [
      `skopeo; ${(image.bytes / 1e6).toFixed(0)} MB in ${image.layers} gzip layers, a new image each turn`,
      `afterwards Gantry measures the layers' uncompressed size: ${measuring.toFixed(1)} s CPU, not in these figures`,
    ],
  };
}

async function runPull(bench: Bench): Promise<Outcome> {
  if (!findInPath('skopeo')) return { figures: [], missing };
  const { servers } = await bench.files();
  const image = await bench.image();
  const layout = bench.freshFolder();
  await image.write(layout);
  for (const server of servers) {
    const to = reference(server, 'pull');
    await copy(bench, server, { from: `oci:${layout}:latest`, to, side: 'dest' });
    await settled(server.pid);
  }
  await removeLayout(layout);
  const medians = await alternate(servers, bench.scale.rounds, async (server) => {
    const target = bench.freshFolder();
    mkdirSync(target);
    await quietDisk();
    const { result, own, children } = await metered(server.pid, () =>
      copy(bench, server, { from: reference(server, 'pull'), to: `dir:${target}`, side: 'src' }),
    );
    await removeLayout(target);
    return { seconds: result, cpu: own + children };
  });
  return {
    figures: [
      compare(medians, 'seconds', {
        what: 'time',
        unit: 's',
        goal: { of: 'ratio', is: '≤', value: 1 },
      }),
      compare(medians, 'cpu', { what: 'CPU of the server', unit: 's' }),
    ],
    notes: [`skopeo; the image of image-push, into a folder`],
  };
}

export const imageRows: readonly Row[] = [
  { name: 'image-push', title: 'Push of an image', run: runPush },
  { name: 'image-pull', title: 'Pull of an image', run: runPull },
];
