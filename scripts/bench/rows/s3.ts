import { createHash } from 'node:crypto';
import { type Bench, compare, type Outcome, type Row, smallRepository } from '../bench.ts';
import { cpuSeconds, writtenBytes } from '../processes.ts';
import { alternate, metered } from '../rounds.ts';
import { expect } from '../seed.ts';
import type { Server } from '../servers.ts';
import { blobRepository, putBlob, quietDisk } from './blobs.ts';
import { compareReads } from './reads.ts';

async function runPut(bench: Bench): Promise<Outcome> {
  const pair = await bench.s3();
  if ('missing' in pair) return { figures: [], missing: pair.missing };
  const { rounds, putBytes } = bench.scale;
  const medians = await alternate(pair.servers, rounds, async (server) => {
    await quietDisk();
    const before = cpuSeconds(pair.s3.pid).own;
    const { result, own } = await metered(server.pid, () => putBlob(server, putBytes));
    return { seconds: result.seconds, cpu: own, gateway: cpuSeconds(pair.s3.pid).own - before };
  });
  return {
    figures: [
      compare(medians, 'seconds', {
        what: 'time',
        unit: 's',
        goal: { of: 'ratio', is: '≤', value: 0.5 },
      }),
      compare(medians, 'cpu', { what: 'CPU of the server', unit: 's' }),
      compare(medians, 'gateway', { what: 'CPU of versitygw', unit: 's' }),
    ],
    notes: [`${putBytes / 2 ** 20} MiB by POST and PUT to one versitygw, ${rounds} turns`],
  };
}

async function runManifest(bench: Bench): Promise<Outcome> {
  const pair = await bench.s3();
  if ('missing' in pair) return { figures: [], missing: pair.missing };
  return await compareReads(bench, pair, {
    method: 'GET',
    repository: smallRepository,
    path: 'manifests/latest',
    goals: { rate: 10 },
  });
}

/** Bytes of blobs that Gantry says it has sent itself. */
async function proxied(server: Server): Promise<number> {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  const line = /^gantry_blob_bytes_sent_total\{how="proxy"\} (\d+)/m.exec(text);
  return Number(line?.[1] ?? 0);
}

async function runRedirect(bench: Bench): Promise<Outcome> {
  const pair = await bench.s3();
  if ('missing' in pair) return { figures: [], missing: pair.missing };
  const gantry = pair.servers.find((server) => server.name === 'gantry')!;
  const { digest } = await putBlob(gantry, bench.scale.getBytes);
  const headers = await gantry.headers(blobRepository);
  const before = { sent: await proxied(gantry), written: writtenBytes(gantry.pid) };
  const first = await expect(307, gantry, `/v2/${blobRepository}/blobs/${digest}`, {
    method: 'GET',
    headers,
    redirect: 'manual',
  });
  const answer = await fetch(first.headers.get('location') ?? '');
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of answer.body ?? []) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  if (`sha256:${hash.digest('hex')}` !== digest) throw new Error('the redirect led to other bytes');
  const after = { written: writtenBytes(gantry.pid), sent: await proxied(gantry) };
  return {
    figures: [
      {
        what: 'bytes of the blob through Gantry',
        unit: 'bytes',
        gantry: after.sent - before.sent,
        peer: undefined,
        goal: { of: 'own', is: '≤', value: 0 },
      },
      {
        what: 'all that the process wrote meanwhile',
        unit: 'bytes',
        gantry: after.written - before.written,
        peer: undefined,
        goal: { of: 'own', is: '≤', value: 256 << 10 },
      },
    ],
    notes: [`307 to a presigned URL, ${bytes} bytes from there, digest checked`],
  };
}

export const s3Rows: readonly Row[] = [
  { name: 's3-put', title: 'PUT of a large blob to S3', run: runPut },
  { name: 's3-manifest-get', title: 'GET manifest by tag, blobs on S3', run: runManifest },
  { name: 's3-redirect', title: 'Pull of a large blob from S3, redirected', run: runRedirect },
];
