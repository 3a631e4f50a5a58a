/** Kinds of requests that are sent to a registry again and again. */
import { Pool } from 'undici';
import type { LoadAnswer, LoadOrder } from '../clients/raw-load.ts';
import { runClient } from '../clients/run-client.ts';
import { tokenHeaders } from '../servers.ts';
import { imageOf, project, team } from './seed.ts';
import type { World } from './world.ts';

export const full = (repository: string) => `${team}/${project}/${repository}`;
export interface Probe {
  readonly name: string;
  readonly title: string;
  /** Sends requests one after another. */
  run(world: World, seconds: number): Promise<Turn>;
}

export interface Turn {
  readonly requests: number;
  /** Milliseconds of one of them: the median. */
  readonly ms: number;
}

type Reads = Pick<LoadOrder, 'headers'> & { paths: readonly string[]; method?: string };

export const credentials = (world: World) => `${world.teamId}:${world.token}`;
export const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

export function reads(
  name: string,
  title: string,
  order: (world: World) => Promise<Reads> | Reads,
): Probe {
  return {
    ...{ name, title },
    async run(world, seconds) {
      const { paths, headers, method = 'GET' } = await order(world);
      const answer = await runClient<LoadAnswer>('raw-load.ts', {
        ...{ url: world.url, paths, method, headers, connections: 1, seconds },
      });
      if (answer.failures > 0) throw new Error(`${name}: ${answer.failures} requests failed`);
      return { requests: answer.requests, ms: answer.medianMs };
    },
  };
}

/** One request after another by `send`. */
async function timed(
  seconds: number,
  least: number,
  send: (at: number) => Promise<void>,
): Promise<Turn> {
  const times: number[] = [];
  const until = performance.now() + seconds * 1000;
  for (let at = 0; at < least || performance.now() < until; at++) {
    const sent = performance.now();
    await send(at);
    times.push(performance.now() - sent);
  }
  times.sort((a, b) => a - b);
  return { requests: times.length, ms: times[times.length >> 1]! };
}

const next = new Map<string, number>();

/** PUTs of an image that is there, each to a tag that is not. */
export const pushes = (
  name: string,
  title: string,
  to: { repository: string; image: number },
  tag: (at: number) => string,
): Probe => ({
  ...{ name, title },
  async run(world: World, seconds: number) {
    const repository = full(to.repository);
    const headers = await tokenHeaders(world.url, credentials(world), repository);
    const image = imageOf(world.images, to.image);
    const pool = new Pool(world.url, { connections: 1 });
    const from = next.get(`${name} ${world.url}`) ?? 0;
    let sent = 0;
    try {
      return await timed(seconds, 20, async (at) => {
        sent = at + 1;
        const answer = await pool.request({
          method: 'PUT',
          path: `/v2/${repository}/manifests/${tag(from + at)}`,
          headers: { ...headers, 'content-type': 'application/vnd.oci.image.manifest.v1+json' },
          body: image.bytes,
        });
        const text = await answer.body.text();
        if (answer.statusCode !== 201) throw new Error(`${name}: ${answer.statusCode} ${text}`);
      });
    } finally {
      next.set(`${name} ${world.url}`, from + sent);
      await pool.close();
    }
  },
});

export const posts = (
  name: string,
  title: string,
  path: string,
  token: (world: World) => string,
  body?: object,
): Probe => ({
  ...{ name, title },
  run: (world, seconds) =>
    timed(seconds, 1, async () => {
      const answer = await fetch(new URL(path, world.url), {
        method: body ? 'POST' : 'GET',
        headers: { ...bearer(token(world)), 'content-type': 'application/json' },
        ...(body && { body: JSON.stringify(body) }),
      });
      const text = await answer.text();
      if (!answer.ok) throw new Error(`${name}: ${answer.status} ${text}`);
    }),
});
