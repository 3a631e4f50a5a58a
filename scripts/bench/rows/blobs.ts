import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type Bench, compare, type Outcome, type Row } from '../bench.ts';
import type { GetAnswer, GetOrder } from '../clients/get-blob.ts';
import type { BlobAnswer, BlobOrder } from '../clients/put-blob.ts';
import { runClient, runProgram } from '../clients/run-client.ts';
import { alternate, median, metered } from '../rounds.ts';
import { project } from '../seed.ts';
import type { Server } from '../servers.ts';

export const blobRepository = `${project}/blobs`;

export async function putBlob(server: Server, bytes: number): Promise<BlobAnswer> {
  const headers = await server.headers(blobRepository);
  const order: BlobOrder = { url: server.url, repository: blobRepository, headers, bytes };
  return await runClient<BlobAnswer>('put-blob.ts', order);
}

/** Nothing that an earlier turn wrote may still wait for the disk in this one. */
export async function quietDisk(): Promise<void> {
  await runProgram('sync', []);
}

/** Seconds that a plain program needs for as many bytes in the same folder, and for their sync. */
function plainWrite(bench: Bench): { write: number; sync: number } {
  const file = join(bench.folder, 'plain');
  const piece = Buffer.alloc(1 << 20, 0xa5);
  const descriptor = openSync(file, 'w');
  try {
    const started = performance.now();
    for (let at = 0; at < bench.scale.putBytes; at += piece.length) writeSync(descriptor, piece);
    const written = performance.now();
    fdatasyncSync(descriptor);
    return { write: (written - started) / 1000, sync: (performance.now() - written) / 1000 };
  } finally {
    closeSync(descriptor);
    rmSync(file);
  }
}

async function runPut(bench: Bench): Promise<Outcome> {
  const { servers } = await bench.files();
  const { rounds, putBytes } = bench.scale;
  const plain: { write: number; sync: number }[] = [];
  const medians = await alternate(servers, rounds, async (server) => {
    await quietDisk();
    if (server.name === 'gantry') plain.push(plainWrite(bench));
    await quietDisk();
    const { result, own } = await metered(server.pid, () => putBlob(server, putBytes));
    return { seconds: result.seconds, cpu: own };
  });
  const write = median(plain.map((one) => one.write)).toFixed(2);
  const sync = median(plain.map((one) => one.sync)).toFixed(2);
  return {
    figures: [
      compare(medians, 'seconds', {
        what: 'time',
        unit: 's',
        goal: { of: 'ratio', is: '≤', value: 0.8 },
      }),
      compare(medians, 'cpu', { what: 'CPU of the server', unit: 's' }),
    ],
    notes: [
      `${putBytes / 2 ** 20} MiB by POST and PUT from a process of its own, ${rounds} turns`,
      `the disk: a plain write of as much takes ${write} s, its fdatasync ${sync} s more; both servers sync`,
    ],
  };
}

async function runGet(bench: Bench): Promise<Outcome> {
  const { servers } = await bench.files();
  const { rounds, getBytes } = bench.scale;
  const digests = new Map<string, string>();
  for (const server of servers) {
    digests.set(server.name, (await putBlob(server, getBytes)).digest);
  }
  const times = 10;
  const medians = await alternate(servers, rounds, async (server) => {
    const order: GetOrder = {
      url: `${server.url}/v2/${blobRepository}/blobs/${digests.get(server.name)}`,
      headers: await server.headers(blobRepository),
      bytes: getBytes,
      times,
    };
    const { result, own } = await metered(server.pid, () =>
      runClient<GetAnswer>('get-blob.ts', order),
    );
    const megabytes = (times * getBytes) / 1e6;
    return { rate: megabytes / result.seconds, cpu: own / (times + 1) };
  });
  return {
    figures: [
      compare(medians, 'rate', {
        what: 'rate',
        unit: 'MB/s',
        goal: { of: 'ratio', is: '≥', value: 1 },
      }),
      compare(medians, 'cpu', { what: 'CPU of the server a blob', unit: 's' }),
    ],
    notes: [`${(getBytes / 1e6).toFixed(0)} MB, one connection, from the page cache`],
  };
}

export const blobRows: readonly Row[] = [
  { name: 'blob-put', title: 'PUT of a large blob', run: runPut },
  { name: 'blob-get', title: 'GET of a large blob', run: runGet },
];
